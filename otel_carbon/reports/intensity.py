"""Software Carbon Intensity (ISO/IEC 21031:2024) of a period: SCI = (E · I + M) / R, location-based, no offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_carbon.model import Interval, Status
from otel_carbon.reports.report import Sci

__all__ = ["sci_of_rows"]

_TERMS = ("co2e_operational_grams_central", "co2e_embodied_grams_central")
_TOKENS_PER_UNIT = 1000.0
_DIGITS = 12


def sci_of_rows(rows: Sequence[Mapping[str, Any]], co2e_grams: Interval | None) -> Sci | None:
    """Return the intensity of the estimated calls among these sums, whose emissions are given.

    Calls without an estimate are in no functional unit. None where there is no estimate, or where a factor set does not
    give operational and embodied emissions apart: both are terms of the equation.
    """
    estimated = [row for row in rows if row["by_status"] == Status.ESTIMATED.value]
    if co2e_grams is None or any(row[name] is None for row in estimated for name in _TERMS):
        return None
    calls = sum(row["calls"] for row in estimated)
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in estimated)
    if calls <= 0 or tokens <= 0:
        return None
    return Sci(_per(co2e_grams, calls), _per(co2e_grams, tokens / _TOKENS_PER_UNIT))


def _per(value: Interval, units: float) -> Interval:
    low, central, high = (float(f"{bound / units:.{_DIGITS}g}") for bound in (value.low, value.central, value.high))
    return Interval(low, central, high)
