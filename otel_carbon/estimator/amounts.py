"""Figures per amount of tokens or per request: published totals, scaled as their publisher says and no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from otel_carbon.factors import Basis, FactorRow, FactorSet
from otel_carbon.factors.constants import Constants, times_divided
from otel_carbon.factors.places import Location
from otel_carbon.factors.scale import request_scale
from otel_carbon.model import Footprint, Interval, Usage, input_tokens, output_tokens
from otel_carbon.units import kilograms_from_milligrams, kwh_from_wh, liters_from_milliliters, wh_from_kwh

__all__ = ["AmountCard", "amount_card", "apply_amount", "includes_place"]

_PER_MILLION = 1e6
_PER_THOUSAND = 1e3
_BEYOND_REASON = 1e100  # far from where a product could leave the range of floats


@dataclass(frozen=True, slots=True)
class AmountCard:
    """What one unit stands for. `tokens_per_unit` is None where a unit is a request of any length."""

    per_unit: Footprint
    tokens_per_unit: float | None
    output_only: bool
    grid_keys: tuple[str, ...]
    """What a source of hourly intensities may know the grid by."""

    def footprint(self, usage: Usage, _latency_s: float | None) -> Footprint:
        """Return the footprint of a call: `apply_amount`."""
        return apply_amount(self, usage)


def amount_card(
    factor_set: FactorSet, row: FactorRow, location: Location, constants: Constants, facts: Footprint, *, water: bool
) -> AmountCard:
    """Return the card of a row whose figures are not per kind of token; `facts` is a footprint without quantities.

    A figure without bounds is multiplied and divided by the factor of its confidence, at least by that of its set.
    """
    intensity_g_per_kwh, grid_keys = location.intensity_g_per_kwh, location.grid_keys
    factor = max(constants.bounds_factor[row.confidence], factor_set.min_bounds_factor)

    def published(key: str) -> Interval | None:
        value: Any = row.published.get(key)
        return None if value is None else times_divided(float(value), factor)

    if factor_set.basis is Basis.TOTAL_G_PER_1K:
        per_unit = replace(facts, co2e_grams=published("total_g_per_1k"))
        return AmountCard(per_unit, _PER_THOUSAND, output_only=False, grid_keys=grid_keys)
    if factor_set.basis is Basis.TOTAL_KWH_PER_1M:
        per_unit = _of_energy(facts, published("total_kwh_per_1m"), intensity_g_per_kwh)
        return AmountCard(per_unit, _PER_MILLION, output_only=False, grid_keys=grid_keys)
    energy_wh = published("request_wh")
    co2e_grams = published("request_g")
    if co2e_grams is None and energy_wh is not None:
        co2e_grams = energy_wh.scaled(kwh_from_wh(1.0)) * intensity_g_per_kwh
    water_ml, antimony_mg = published("request_ml") if water else None, published("request_mg_sb_eq")
    per_unit = replace(
        facts,
        energy_wh=energy_wh,
        co2e_grams=co2e_grams,
        water_liters=None if water_ml is None else water_ml.scaled(liters_from_milliliters(1.0)),
        abiotic_depletion_kgsbeq=None if antimony_mg is None else antimony_mg.scaled(kilograms_from_milligrams(1.0)),
    )
    tokens = request_scale(row.name, row.published)
    return AmountCard(per_unit, None if tokens is None else float(tokens), output_only=True, grid_keys=grid_keys)


def apply_amount(card: AmountCard, usage: Usage) -> Footprint:
    """Return the footprint of a call: that of one unit times the units.

    Raises:
        OverflowError: the token counts are beyond reason.
    """
    if card.tokens_per_unit is None:
        return card.per_unit
    tokens = output_tokens(usage) if card.output_only else input_tokens(usage) + output_tokens(usage)
    units = tokens / card.tokens_per_unit
    if units > _BEYOND_REASON:
        raise OverflowError(f"{tokens} tokens for one call")
    unit = card.per_unit

    def times(value: Interval | None) -> Interval | None:
        return None if value is None else value.scaled(units)

    return replace(
        unit,
        energy_wh=times(unit.energy_wh),
        co2e_grams=times(unit.co2e_grams),
        co2e_operational_grams=times(unit.co2e_operational_grams),
        water_liters=times(unit.water_liters),
        abiotic_depletion_kgsbeq=times(unit.abiotic_depletion_kgsbeq),
    )


def includes_place(factor_set: FactorSet, published: Mapping[str, object]) -> bool:
    """Return whether a row's emissions hold the electricity already, so that no grid is applied."""
    if factor_set.basis is Basis.TOTAL_G_PER_1K:
        return True
    return factor_set.basis is Basis.PER_REQUEST and "request_g" in published


def _of_energy(facts: Footprint, energy_kwh: Interval | None, intensity_g_per_kwh: Interval) -> Footprint:
    if energy_kwh is None:
        return facts
    operational = energy_kwh * intensity_g_per_kwh
    return replace(
        facts,
        energy_wh=energy_kwh.scaled(wh_from_kwh(1.0)),
        co2e_operational_grams=operational,
        co2e_grams=operational,
    )
