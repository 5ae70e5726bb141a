"""Numbers for people: two or three significant digits, a sensible prefix, always with bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from otel_carbon.model import Interval

__all__ = [
    "compact",
    "count",
    "energy_with_bounds",
    "grams_with_bounds",
    "percent",
    "scaled_bounds",
    "significant",
    "unit_for",
]

Units = Sequence[tuple[float, float, str]]
"""From which value a unit is used, its size, its name; largest first."""

# Grams and watt-hours are what the rest of the program says, so they go two digits below one.
GRAM_UNITS: Units = ((1e6, 1e6, "t"), (1e3, 1e3, "kg"), (1e-2, 1.0, "g"), (1e-5, 1e-3, "mg"), (0.0, 1e-6, "µg"))
WH_UNITS: Units = (
    (1e9, 1e9, "GWh"),
    (1e6, 1e6, "MWh"),
    (1e3, 1e3, "kWh"),
    (1e-2, 1.0, "Wh"),
    (1e-5, 1e-3, "mWh"),
    (0.0, 1e-6, "µWh"),
)
_ROUNDS_UP = 0.9995  # what is shown as 1,000 of a unit is shown as 1.00 of the next


def significant(value: float, digits: int = 3) -> str:
    """Return a value with so many significant digits, thousands grouped, without an exponent."""
    if value == 0.0 or not math.isfinite(value):
        return "0" if value == 0.0 else str(value)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    # 9.996 to three digits is 10.0, not 10.00.
    decimals = digits - 1 - math.floor(math.log10(abs(rounded))) if rounded else decimals
    return f"{rounded:,.{max(decimals, 0)}f}"


def unit_for(value: float, units: Units) -> tuple[float, str]:
    """Return size and name of the unit that suits a value; that of size 1 for zero."""
    if value <= 0.0:
        return next((size, name) for _, size, name in units if size == 1.0)
    return next((size, name) for least, size, name in units if value >= least * _ROUNDS_UP)


def scaled_bounds(value: Interval, units: Units, digits: int = 3) -> tuple[str, str, str]:
    """Return central value, bounds with so many digits, and unit: the one that suits the central value."""
    size, name = unit_for(value.central, units)
    central = significant(value.central / size)
    return central, f"{significant(value.low / size, digits)}–{significant(value.high / size, digits)}", name


def grams_with_bounds(value: Interval, digits: int = 3) -> str:
    """Return emissions with their interval: `12.3 gCO2e (3.10–49.8)`."""
    central, bounds, unit = scaled_bounds(value, GRAM_UNITS, digits)
    return f"{central} {unit}CO2e ({bounds})"


def energy_with_bounds(value: Interval, digits: int = 3) -> str:
    """Return energy with its interval: `34.1 Wh (9.90–120)`."""
    central, bounds, unit = scaled_bounds(value, WH_UNITS, digits)
    return f"{central} {unit} ({bounds})"


def compact(value: float) -> str:
    """Return a count in at most six characters: 9,999, then 10.0 k, 1.23 M."""
    if value < 10_000:
        return count(value)
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{significant(value / size)} {name}"
    return count(value)


def percent(share: float) -> str:
    """Return a share as whole percent; what is there and rounds to nothing is `< 1 %`."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{share * 100:.0f} %"


def count(value: float) -> str:
    """Return a count with thousands grouped; one decimal where sampling left a fraction."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
