"""Calls by a parametric set: life-cycle equations with the parameters of one model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from otel_carbon.estimator.lca import DataCentre, lca_impacts
from otel_carbon.estimator.per_wh import Place
from otel_carbon.factors.lca import LcaConstants, LcaModel, LcaTables, Range
from otel_carbon.factors.places import Location
from otel_carbon.model import Footprint, Interval, Usage, output_tokens

__all__ = ["LcaCard", "apply_lca", "between", "data_centre", "duration_bound_s"]


@dataclass(frozen=True, slots=True)
class LcaCard:
    """Everything about a kind of call but its tokens and its duration. `facts` is a footprint without quantities."""

    facts: Footprint
    constants: LcaConstants
    model: LcaModel
    place: DataCentre
    water: bool
    grid_keys: tuple[str, ...] = ()
    """Always empty: the set applies the mixes of a year that it was made with."""

    def footprint(self, usage: Usage, latency_s: float | None) -> Footprint:
        """Return the footprint of a call: `apply_lca`."""
        return apply_lca(self, usage, latency_s)


def apply_lca(card: LcaCard, usage: Usage, latency_s: float | None) -> Footprint:
    """Return the footprint of a call. Without output tokens it is zero: the equations say nothing of input.

    Raises:
        OverflowError: the token counts are beyond reason.
    """
    tokens = output_tokens(usage)
    duration_s = duration_bound_s(latency_s) if tokens else 0.0
    impacts = lca_impacts(card.constants, card.model, card.place, float(tokens), duration_s)
    if not impacts.primary_energy_mj[1] < math.inf:
        raise OverflowError(f"{tokens} tokens for one call")
    return replace(
        card.facts,
        energy_wh=between(impacts.energy_wh),
        it_energy_wh=between(impacts.it_energy_wh),
        co2e_grams=between(impacts.co2e_grams),
        co2e_operational_grams=between(impacts.co2e_operational_grams),
        co2e_embodied_grams=between(impacts.co2e_embodied_grams),
        water_liters=between(impacts.water_liters) if card.water else None,
        primary_energy_mj=between(impacts.primary_energy_mj),
        abiotic_depletion_kgsbeq=between(impacts.abiotic_depletion_kgsbeq),
    )


def duration_bound_s(latency_s: float | None) -> float:
    """Return the longest that a generation can have taken, in s: infinite where the call's duration is not known."""
    return latency_s if latency_s is not None and latency_s > 0.0 else math.inf


def data_centre(lca: LcaTables, location: Location, place: Place) -> DataCentre:
    """Return a place of a parametric set as the equations take it."""
    return DataCentre(
        pue_ratio=(place.pue_ratio.low, place.pue_ratio.high),
        wue_onsite_l_per_it_kwh=(place.wue_onsite_l_per_it_kwh.low, place.wue_onsite_l_per_it_kwh.high),
        intensity_g_per_kwh=place.intensity_g_per_kwh.central,
        mix=lca.mixes[location.water_zone],
    )


def between(ends: Range) -> Interval:
    """Return the interval between two ends with their geometric mean as its centre."""
    low, high = ends
    # The root of a product can leave the two ends by a rounding error.
    return Interval(low, min(max(math.sqrt(low) * math.sqrt(high), low), high), high)
