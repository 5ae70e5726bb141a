"""OpenTelemetry names as Prometheus names.

The rules are those of the specification, "Prometheus and OpenMetrics Compatibility", with the strategy that Prometheus
and the Collector have as default: underscores, and suffixes for unit and type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = ["family_name", "label_name", "labels_of"]

_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "d": "days",
        "h": "hours",
        "min": "minutes",
        "s": "seconds",
        "ms": "milliseconds",
        "us": "microseconds",
        "ns": "nanoseconds",
        "By": "bytes",
        "KiBy": "kibibytes",
        "MiBy": "mebibytes",
        "GiBy": "gibibytes",
        "TiBy": "tibibytes",
        "KBy": "kilobytes",
        "MBy": "megabytes",
        "GBy": "gigabytes",
        "TBy": "terabytes",
        "m": "meters",
        "V": "volts",
        "A": "amperes",
        "J": "joules",
        "W": "watts",
        "g": "grams",
        "kg": "kilograms",
        "L": "liters",
        "Cel": "celsius",
        "Hz": "hertz",
        "1": "",
        "%": "percent",
    }
)
_PER: Mapping[str, str] = MappingProxyType(
    {"s": "second", "min": "minute", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
)
_OTHER = re.compile(r"[^a-zA-Z0-9:]+")
_OTHER_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def family_name(name: str, unit: str, *, counter: bool = False, gauge: bool = False) -> str:
    """Return the name of a metric family: `otel_carbon.co2e` in `g`, a counter, is `otel_carbon_co2e_grams_total`."""
    words = [word for word in _OTHER.split(name) if word]
    for suffix in _unit_words(unit):
        if suffix not in words:
            words.append(suffix)
    if gauge and unit == "1" and "ratio" not in words:
        words.append("ratio")
    if counter:
        words = [*(word for word in words if word != "total"), "total"]
    joined = "_".join(words)
    return f"_{joined}" if joined[:1].isdecimal() or not joined else joined


def label_name(key: str) -> str:
    """Return the name of a label: `gen_ai.provider.name` is `gen_ai_provider_name`."""
    name = _OTHER_IN_LABEL.sub("_", key)
    if name.startswith("__"):
        return f"key{name}"  # two underscores are Prometheus' own
    return f"key_{name}" if name[:1].isdecimal() or not name else name


def labels_of(attributes: Iterable[tuple[str, str]], taken: Mapping[str, str]) -> dict[str, str]:
    """Return labels for attributes, `taken` ones first.

    Attributes whose keys become one label are joined by `;` in the order of their keys, as the specification says. One
    that has the name of a taken label keeps its value under `exported_`, as Prometheus does it.
    """
    labels = dict(taken)
    for key, value in sorted(attributes):
        name = label_name(key)
        if name in taken:
            name = f"exported_{name}"
        labels[name] = f"{labels[name]};{value}" if name in labels else value
    return labels


def _unit_words(unit: str) -> list[str]:
    """Return the words of a UCUM unit; annotations as in `{token}` are none."""
    main, _, per = re.sub(r"\{[^}]*\}", "", unit).partition("/")
    words = [_UNITS.get(main.strip(), main.strip())]
    if per.strip():
        words += ["per", _PER.get(per.strip(), per.strip())]
    return [word for text in words for word in _OTHER.split(text) if word]
