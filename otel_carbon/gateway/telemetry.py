"""The gateway's own metrics, under the Collector's names with the prefix `otelcarbon_`."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from otel_carbon.gateway.self_metrics import PREFIX, SELF_METRICS
from otel_carbon.pipeline.memory import resident_bytes

__all__ = ["Family", "SelfMetrics", "exposition"]

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """All values of one metric."""

    name: str
    type: str
    """`counter` or `gauge`."""
    values: Mapping[Labels, float]


class SelfMetrics:
    """Counters that components add to, and gauges that are asked when somebody looks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[str, Callable[[], Mapping[Labels, float]]] = {}
        self._started_s = time.monotonic()

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            values = self._counters.setdefault(name, {})
            values[key] = values.get(key, 0.0) + value

    def gauge(self, name: str, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Register a gauge. `read` may be called from any thread."""
        self._gauges[name] = read

    def value(self, name: str, **labels: str) -> float:
        """Return what has been counted under exactly these labels."""
        with self._lock:
            return self._counters.get(name, {}).get(tuple(sorted(labels.items())), 0.0)

    def families(self) -> list[Family]:
        """Return everything, by name."""
        with self._lock:
            found = [Family(name, "counter", dict(values)) for name, values in self._counters.items()]
        found += [Family(name, _type(name), read()) for name, read in self._gauges.items()]
        shown = [family for family in (*found, *self._process()) if family.values]
        return sorted(shown, key=lambda family: family.name)

    def _process(self) -> Iterable[Family]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield Family("process_uptime", "counter", {(): time.monotonic() - self._started_s})
        yield Family("process_cpu_seconds", "counter", {(): usage.ru_utime + usage.ru_stime})
        memory_bytes = resident_bytes()
        if memory_bytes is not None:
            yield Family("process_memory_rss", "gauge", {(): float(memory_bytes)})


def exposition(families: Iterable[Family]) -> str:
    """Return the metrics in the Prometheus text format 0.0.4.

    Names stand as they are, without `_total`, as those of the Collector do: a dashboard for it needs one replacement.
    """
    lines: list[str] = []
    for family in families:
        name = f"{PREFIX}{family.name}"
        lines += [f"# HELP {name} {_help(family.name)}", f"# TYPE {name} {family.type}"]
        lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in sorted(family.values.items())]
    return "\n".join(lines) + "\n"


def _help(name: str) -> str:
    known = SELF_METRICS.get(name)
    return name.replace("_", " ") if known is None else known.help


def _type(name: str) -> str:
    """Return the type of what is asked when somebody looks: some of it only grows."""
    known = SELF_METRICS.get(name)
    return "gauge" if known is None else known.type


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
