"""Reading the mark that an earlier stage wrote on a span."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from otel_carbon.model import MOST_INTENSITY_G_PER_KWH, FactorRef, Grid, Interval, Mark, Region, Status
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

__all__ = ["read_mark"]

_FIRST_YEAR, _LAST_YEAR = 1971, 2261  # what nanoseconds since 1970 can say in 64 bits
_STATUSES = {status.value: status for status in Status}


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
