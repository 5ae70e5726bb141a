"""Writing an outcome on a span, and reading what an earlier stage wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from otel_carbon.model import FactorRef, Footprint, Grid, Interval, Mark, Outcome, Region, Status
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
    OTEL_CARBON_GRID_ZONE,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_REGION_SOURCE,
    OTEL_CARBON_STATUS,
    OTEL_CARBON_WATER_LITERS,
)
from otel_carbon.spans.values import text

__all__ = ["MARK_KEYS", "mark_attributes", "read_mark"]

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
        OTEL_CARBON_GRID_ZONE,
        OTEL_CARBON_REGION_NAME,
        OTEL_CARBON_REGION_SOURCE,
        OTEL_CARBON_STATUS,
        OTEL_CARBON_WATER_LITERS,
    }
)
"""Every attribute that a mark consists of."""

_STATUSES = {status.value: status for status in Status}


def mark_attributes(outcome: Outcome) -> dict[str, str | float]:
    """Return what to write on the span. Numbers have six significant digits; what is not known is left out."""
    if not isinstance(outcome, Footprint):
        return {OTEL_CARBON_STATUS: outcome.status.value}
    optional: tuple[tuple[str, str | float | None], ...] = (
        *_bounds(outcome.energy_wh, OTEL_CARBON_ENERGY_WH, OTEL_CARBON_ENERGY_WH_LOW, OTEL_CARBON_ENERGY_WH_HIGH),
        *_bounds(outcome.co2e_grams, OTEL_CARBON_CO2E_GRAMS, OTEL_CARBON_CO2E_GRAMS_LOW, OTEL_CARBON_CO2E_GRAMS_HIGH),
        (OTEL_CARBON_CO2E_EMBODIED_GRAMS, _central(outcome.co2e_embodied_grams)),
        (OTEL_CARBON_WATER_LITERS, _central(outcome.water_liters)),
        (OTEL_CARBON_REGION_NAME, outcome.region.name),
        (OTEL_CARBON_GRID_ZONE, outcome.grid.zone),
        (OTEL_CARBON_GRID_INTENSITY_G_PER_KWH, _six_digits(outcome.grid.intensity_g_per_kwh)),
    )
    return {
        OTEL_CARBON_STATUS: Status.ESTIMATED.value,
        **{key: value for key, value in optional if value is not None},
        OTEL_CARBON_REGION_SOURCE: outcome.region.source,
        OTEL_CARBON_FACTOR_SET: outcome.factor.set,
        OTEL_CARBON_FACTOR_ID: outcome.factor.id,
        OTEL_CARBON_FACTOR_MATCH: outcome.factor.match,
        OTEL_CARBON_CONFIDENCE: outcome.confidence.value,
    }


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


def _bounds(interval: Interval | None, central: str, low: str, high: str) -> tuple[tuple[str, float | None], ...]:
    if interval is None:
        return ()
    return (
        (central, _six_digits(interval.central)),
        (low, _six_digits(interval.low)),
        (high, _six_digits(interval.high)),
    )


def _central(interval: Interval | None) -> float | None:
    return None if interval is None else _six_digits(interval.central)


def _six_digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


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
    intensity = _quantity(attributes.get(OTEL_CARBON_GRID_INTENSITY_G_PER_KWH))
    return None if zone is None and intensity is None else Grid(zone, intensity, None)
