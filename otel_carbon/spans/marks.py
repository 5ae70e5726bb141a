"""Writing an outcome on a span."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from otel_carbon.model import Footprint, Outcome, Status
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
from otel_carbon.spans.digits import put_six_digits, six_digits
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["MARK_KEYS", "QUANTITIES", "mark_attributes", "utc_text"]

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

_ESTIMATED = Status.ESTIMATED.value


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
    put_six_digits(mark, quantities, quantities.values())
    _add_origin(mark, outcome)
    return mark


def _add_origin(mark: dict[str, str | float], footprint: Footprint) -> None:
    """Add where the numbers come from: place, grid and factor."""
    region, grid, factor = footprint.region, footprint.grid, footprint.factor
    if region.name is not None:
        mark[OTEL_CARBON_REGION_NAME] = region.name
    if grid.zone is not None:
        mark[OTEL_CARBON_GRID_ZONE] = grid.zone
    if grid.intensity_g_per_kwh is not None:
        mark[OTEL_CARBON_GRID_INTENSITY_G_PER_KWH] = six_digits(grid.intensity_g_per_kwh)
    if grid.period_start_unix_nano is not None:
        mark[OTEL_CARBON_GRID_SOURCE] = grid.source or ""
        mark[OTEL_CARBON_GRID_PERIOD_START] = utc_text(grid.period_start_unix_nano)
    if grid.quality is not None:
        mark[OTEL_CARBON_GRID_QUALITY] = grid.quality
    mark[OTEL_CARBON_REGION_SOURCE] = region.source
    mark[OTEL_CARBON_FACTOR_SET] = factor.set
    mark[OTEL_CARBON_FACTOR_ID] = factor.id
    mark[OTEL_CARBON_FACTOR_MATCH] = factor.match
    mark[OTEL_CARBON_CONFIDENCE] = footprint.confidence.value


@lru_cache(maxsize=1024)
def utc_text(unix_nano: int) -> str:
    """Return a time as it stands on a span, in whole seconds."""
    return f"{datetime.fromtimestamp(unix_nano // NANOSECONDS_PER_SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
