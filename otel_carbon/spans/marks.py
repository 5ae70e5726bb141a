"""Writing an outcome on a span, and reading what an earlier stage wrote."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import floor, log10
from typing import Any

from otel_carbon.model import (
    MOST_INTENSITY_G_PER_KWH,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    Mark,
    Outcome,
    Region,
    Status,
)
from otel_carbon.semconv.carbon import (
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    OTEL_CARBON_CO2E_GRAMS,
    OTEL_CARBON_CO2E_GRAMS_HIGH,
    OTEL_CARBON_CO2E_GRAMS_LOW,
    OTEL_CARBON_CONFIDENCE,
    OTEL_CARBON_ENERGY_WH,
    OTEL_CARBON_ENERGY_WH_HIGH,
    OTEL_CARBON_ENERGY_WH_LOW,
    OTEL_CARBON_FACTOR_ID,
    OTEL_CARBON_FACTOR_MATCH,
    OTEL_CARBON_FACTOR_SET,
    OTEL_CARBON_GRID_INTENSITY_G_PER_KWH,
    OTEL_CARBON_GRID_PERIOD_START,
    OTEL_CARBON_GRID_QUALITY,
    OTEL_CARBON_GRID_SOURCE,
    OTEL_CARBON_GRID_ZONE,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_REGION_SOURCE,
    OTEL_CARBON_STATUS,
    OTEL_CARBON_WATER_LITERS,
)
from otel_carbon.spans.values import text
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["MARK_KEYS", "QUANTITIES", "mark_attributes", "read_mark", "six_digits"]

MARK_KEYS = frozenset(
    {
        OTEL_CARBON_CO2E_EMBODIED_GRAMS,
        OTEL_CARBON_CO2E_GRAMS,
        OTEL_CARBON_CO2E_GRAMS_HIGH,
        OTEL_CARBON_CO2E_GRAMS_LOW,
        OTEL_CARBON_CONFIDENCE,
        OTEL_CARBON_ENERGY_WH,
        OTEL_CARBON_ENERGY_WH_HIGH,
        OTEL_CARBON_ENERGY_WH_LOW,
        OTEL_CARBON_FACTOR_ID,
        OTEL_CARBON_FACTOR_MATCH,
        OTEL_CARBON_FACTOR_SET,
        OTEL_CARBON_GRID_INTENSITY_G_PER_KWH,
        OTEL_CARBON_GRID_PERIOD_START,
        OTEL_CARBON_GRID_QUALITY,
        OTEL_CARBON_GRID_SOURCE,
        OTEL_CARBON_GRID_ZONE,
        OTEL_CARBON_REGION_NAME,
        OTEL_CARBON_REGION_SOURCE,
        OTEL_CARBON_STATUS,
        OTEL_CARBON_WATER_LITERS,
    }
)
"""Every attribute that a mark consists of."""

QUANTITIES = (
    OTEL_CARBON_ENERGY_WH,
    OTEL_CARBON_ENERGY_WH_LOW,
    OTEL_CARBON_ENERGY_WH_HIGH,
    OTEL_CARBON_CO2E_GRAMS,
    OTEL_CARBON_CO2E_GRAMS_LOW,
    OTEL_CARBON_CO2E_GRAMS_HIGH,
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    OTEL_CARBON_WATER_LITERS,
)
"""What differs from call to call, in the order of a mark."""

_FIRST_YEAR, _LAST_YEAR = 1971, 2261  # what nanoseconds since 1970 can say in 64 bits
# By the digits after the point, which may be negative: NaN, which fails every comparison, where it is not exact.
_POWERS_OF_TEN = (*(float(f"1e{digits}") for digits in range(23)), *[math.nan] * 640)
_DOUBT = 1e-8  # a hundred times the rounding of a product below 1e6
_NO_DOUBT = 1.0 - _DOUBT
_ESTIMATED = Status.ESTIMATED.value
_STATUSES = {status.value: status for status in Status}


def mark_attributes(outcome: Outcome) -> dict[str, str | float]:
    """Return what to write on the span. Numbers have six significant digits; what is not known is left out."""
    if not isinstance(outcome, Footprint):
        return {OTEL_CARBON_STATUS: outcome.status.value}
    mark: dict[str, str | float] = {OTEL_CARBON_STATUS: _ESTIMATED}
    quantities: dict[str, float] = {}
    if (energy := outcome.energy_wh) is not None:
        quantities[OTEL_CARBON_ENERGY_WH] = energy.central
        quantities[OTEL_CARBON_ENERGY_WH_LOW] = energy.low
        quantities[OTEL_CARBON_ENERGY_WH_HIGH] = energy.high
    if (co2e := outcome.co2e_grams) is not None:
        quantities[OTEL_CARBON_CO2E_GRAMS] = co2e.central
        quantities[OTEL_CARBON_CO2E_GRAMS_LOW] = co2e.low
        quantities[OTEL_CARBON_CO2E_GRAMS_HIGH] = co2e.high
    if (embodied := outcome.co2e_embodied_grams) is not None:
        quantities[OTEL_CARBON_CO2E_EMBODIED_GRAMS] = embodied.central
    if (water := outcome.water_liters) is not None:
        quantities[OTEL_CARBON_WATER_LITERS] = water.central
    mark.update(zip(quantities, six_digits(quantities.values()), strict=True))
    _add_origin(mark, outcome)
    return mark


def six_digits(values: Iterable[float]) -> list[float]:
    """Return quantities as `float(f"{value:.6g}")` does, in a third of the time.

    An exact power of ten makes a number with six digits before the point. The quotient of that number as a whole one
    and the power is the nearest float there is. Where the number is so near to the middle of two whole ones that
    rounding may have taken it across, and where the power is not exact, `round` decides.
    """
    rounded: list[float] = []
    for value in values:
        if value > 0.0:
            digits = 5 - floor(log10(value))
            power = _POWERS_OF_TEN[digits]
            raised = value * power + 0.5
            whole = raised // 1.0
            value = whole / power if _DOUBT < raised - whole < _NO_DOUBT else round(value, digits)  # noqa: PLW2901
        else:
            value = 0.0  # noqa: PLW2901 - a second name would cost a tenth
        rounded.append(value)
    return rounded


def read_mark(attributes: Mapping[str, Any]) -> Mark | None:
    """Return the mark that an earlier stage left, or None.

    Without a known `otel_carbon.status` there is no mark. A quantity that cannot be real is left out of it.
    """
    status = attributes.get(OTEL_CARBON_STATUS)
    if not isinstance(status, str) or status not in _STATUSES:
        return None
    return Mark(
        status=_STATUSES[status],
        energy_wh=_interval(attributes, OTEL_CARBON_ENERGY_WH, OTEL_CARBON_ENERGY_WH_LOW, OTEL_CARBON_ENERGY_WH_HIGH),
        co2e_grams=_interval(
            attributes, OTEL_CARBON_CO2E_GRAMS, OTEL_CARBON_CO2E_GRAMS_LOW, OTEL_CARBON_CO2E_GRAMS_HIGH
        ),
        co2e_embodied_grams=_quantity(attributes.get(OTEL_CARBON_CO2E_EMBODIED_GRAMS)),
        factor=_factor(attributes),
        confidence=text(attributes.get(OTEL_CARBON_CONFIDENCE)),
        region=_region(attributes),
        grid=_grid(attributes),
        water_liters=_quantity(attributes.get(OTEL_CARBON_WATER_LITERS)),
    )


def _add_origin(mark: dict[str, str | float], footprint: Footprint) -> None:
    """Add where the numbers come from: place, grid and factor."""
    region, grid, factor = footprint.region, footprint.grid, footprint.factor
    if region.name is not None:
        mark[OTEL_CARBON_REGION_NAME] = region.name
    if grid.zone is not None:
        mark[OTEL_CARBON_GRID_ZONE] = grid.zone
    if grid.intensity_g_per_kwh is not None:
        mark[OTEL_CARBON_GRID_INTENSITY_G_PER_KWH] = six_digits((grid.intensity_g_per_kwh,))[0]
    if grid.period_start_unix_nano is not None:
        mark[OTEL_CARBON_GRID_SOURCE] = grid.source or ""
        mark[OTEL_CARBON_GRID_PERIOD_START] = _utc_text(grid.period_start_unix_nano)
    if grid.quality is not None:
        mark[OTEL_CARBON_GRID_QUALITY] = grid.quality
    mark[OTEL_CARBON_REGION_SOURCE] = region.source
    mark[OTEL_CARBON_FACTOR_SET] = factor.set
    mark[OTEL_CARBON_FACTOR_ID] = factor.id
    mark[OTEL_CARBON_FACTOR_MATCH] = factor.match
    mark[OTEL_CARBON_CONFIDENCE] = footprint.confidence.value


def _interval(attributes: Mapping[str, Any], central: str, low: str, high: str) -> Interval | None:
    """Return the claimed interval. A bound that is missing or out of order is taken as the central value."""
    middle = _quantity(attributes.get(central))
    if middle is None:
        return None
    below, above = _quantity(attributes.get(low)), _quantity(attributes.get(high))
    return Interval(
        low=below if below is not None and below <= middle else middle,
        central=middle,
        high=above if above is not None and above >= middle else middle,
    )


def _quantity(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        quantity = float(value)
    except OverflowError:
        return None
    return quantity if 0.0 <= quantity < math.inf else None


def _factor(attributes: Mapping[str, Any]) -> FactorRef | None:
    factor_set = text(attributes.get(OTEL_CARBON_FACTOR_SET))
    row = text(attributes.get(OTEL_CARBON_FACTOR_ID))
    if factor_set is None or row is None:
        return None
    return FactorRef(factor_set, row, text(attributes.get(OTEL_CARBON_FACTOR_MATCH)) or "")


def _region(attributes: Mapping[str, Any]) -> Region | None:
    source = text(attributes.get(OTEL_CARBON_REGION_SOURCE))
    return None if source is None else Region(text(attributes.get(OTEL_CARBON_REGION_NAME)), source)


def _grid(attributes: Mapping[str, Any]) -> Grid | None:
    zone = text(attributes.get(OTEL_CARBON_GRID_ZONE))
    intensity = _intensity(attributes)
    if zone is None and intensity is None:
        return None
    source, period_start_unix_nano = text(attributes.get(OTEL_CARBON_GRID_SOURCE)), _period_start(attributes)
    quality = text(attributes.get(OTEL_CARBON_GRID_QUALITY))
    if source is None or period_start_unix_nano is None:
        return Grid(zone, intensity, None, None, quality)
    return Grid(zone, intensity, source, period_start_unix_nano, quality)


def _intensity(attributes: Mapping[str, Any]) -> float | None:
    intensity = _quantity(attributes.get(OTEL_CARBON_GRID_INTENSITY_G_PER_KWH))
    return intensity if intensity is not None and intensity <= MOST_INTENSITY_G_PER_KWH else None


@lru_cache(maxsize=1024)
def _utc_text(unix_nano: int) -> str:
    return f"{datetime.fromtimestamp(unix_nano // NANOSECONDS_PER_SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _period_start(attributes: Mapping[str, Any]) -> int | None:
    """Return the start of the period in ns since 1970; None where there is no such time."""
    written = text(attributes.get(OTEL_CARBON_GRID_PERIOD_START))
    try:
        start = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    if start.tzinfo is None or not _FIRST_YEAR <= start.year <= _LAST_YEAR:
        return None
    return int(start.timestamp()) * NANOSECONDS_PER_SECOND
