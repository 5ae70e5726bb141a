"""Software Carbon Intensity (ISO/IEC 21031:2024) of a period: SCI = (E · I + M) / R, location-based, no offsets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.model import Interval
from otel_carbon.reports.report import Sci, SciUnit
from otel_carbon.reports.sums import Rows, interval_of, is_estimated, rounded, sum_of, whole

__all__ = ["UNIT_DIMENSIONS", "FunctionalUnit", "functional_units", "sci_of_rows", "sci_per_unit"]

UNIT_DIMENSIONS = ("service", "environment", "tenant", "project", "workload", "agent", "user", "conversation")
"""Dimensions whose distinct values can be the functional units."""

_TERMS = ("co2e_operational_grams_central", "co2e_embodied_grams_central")
_TOKENS_PER_UNIT = 1000.0
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,63}")
_TAKEN = {"call", "1k_tokens"}


@dataclass(frozen=True, slots=True)
class FunctionalUnit:
    """What R of the equation counts: so many of something, or the distinct values of a dimension (`count` is None)."""

    name: str
    count: float | None


def functional_units(texts: Iterable[str]) -> tuple[FunctionalUnit, ...]:
    """Return the units that `NAME=COUNT` or the name of a dimension asks for.

    Raises:
        ConfigError: it is neither, or a name stands twice.
    """
    found: dict[str, FunctionalUnit] = {}
    for text in texts:
        unit = _unit(text)
        if unit.name in found:
            raise ConfigError(f"--functional-unit: {unit.name!r} stands twice; give each unit one count")
        found[unit.name] = unit
    return tuple(found.values())


def sci_of_rows(rows: Rows, co2e_grams: Interval | None) -> Sci | None:
    """Return the intensity of the estimated calls among these sums, whose emissions are given.

    Calls without an estimate are in no functional unit. None where there is no estimate, or where a factor set does not
    give operational and embodied emissions apart: both are terms of the equation.
    """
    estimated = [row for row in rows if is_estimated(row)]
    if co2e_grams is None or not _has_terms(estimated):
        return None
    calls = sum(row["calls"] for row in estimated)
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in estimated)
    if calls <= 0 or tokens <= 0:
        return None
    return Sci(_per(co2e_grams, calls), _per(co2e_grams, tokens / _TOKENS_PER_UNIT))


def sci_per_unit(unit: FunctionalUnit, rows: Rows) -> SciUnit:
    """Return the intensity per functional unit; for a dimension the sums are by it (`by_<dimension>`).

    Of a dimension only the calls that name a value take part: those that do not belong to no unit.
    """
    estimated = [row for row in rows if is_estimated(row) and row["calls"] > 0]
    if unit.count is not None:
        taking_part, count = estimated, unit.count
    else:
        taking_part = [row for row in estimated if row[f"by_{unit.name}"]]
        count = float(len({row[f"by_{unit.name}"] for row in taking_part}))
    co2e = interval_of(taking_part, "co2e_grams") if taking_part and _has_terms(taking_part) else None
    calls, all_calls = _calls(taking_part), _calls(estimated)
    return SciUnit(
        name=unit.name,
        units=whole(count),
        counted="distinct" if unit.count is None else "given",
        per_unit_g=_per(co2e, count) if co2e is not None and count > 0.0 else None,
        calls=whole(calls),
        share_of_calls=rounded(calls / all_calls) if all_calls > 0.0 else 0.0,
    )


def _unit(text: str) -> FunctionalUnit:
    name, equals, number = (part.strip() for part in text.partition("="))
    if not equals:
        if name not in UNIT_DIMENSIONS:
            raise ConfigError(
                f"--functional-unit: {text!r} is neither NAME=COUNT, such as document=1200, nor one of"
                f" {', '.join(UNIT_DIMENSIONS)}, whose distinct values are counted"
            )
        return FunctionalUnit(name, None)
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ConfigError(
            f"--functional-unit: {name!r} cannot name a unit: a letter, then letters, digits, spaces, - or _"
            " (call and 1k_tokens are there already)"
        )
    try:
        count = float(number)
    except ValueError:
        count = math.nan
    if not 0.0 < count < math.inf:
        raise ConfigError(f"--functional-unit: {name} must be a number above zero, not {number!r}")
    return FunctionalUnit(name, count)


def _has_terms(rows: Iterable[Mapping[str, Any]]) -> bool:
    return not any(row[name] is None for row in rows for name in _TERMS)


def _calls(rows: Rows) -> float:
    return sum_of(row["calls"] for row in rows) or 0.0


def _per(value: Interval, units: float) -> Interval:
    low, central, high = (rounded(bound / units) for bound in (value.low, value.central, value.high))
    return Interval(low, central, high)
