"""What one Wh of a factor set stands for: energy at the server and at the meter, emissions, water."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.estimator.carbon import operational_g_per_it_kwh, total_g_per_it_kwh, water_l_per_it_kwh
from otel_carbon.estimator.energy import facility_energy_wh, it_energy_per_wh, pue_beyond_set_ratio
from otel_carbon.factors import Boundary
from otel_carbon.factors.constants import Constants
from otel_carbon.model import Interval
from otel_carbon.units import kwh_from_wh

__all__ = ["PerWh", "Place", "per_wh"]


@dataclass(frozen=True, slots=True)
class Place:
    """Grid, PUE and water that apply to a call. `wue_offsite_l_per_kwh` is None where water is not asked for."""

    intensity_g_per_kwh: Interval
    pue_ratio: Interval
    wue_onsite_l_per_it_kwh: Interval
    wue_offsite_l_per_kwh: Interval | None


@dataclass(frozen=True, slots=True)
class PerWh:
    """What one Wh at the boundary of a factor set stands for."""

    it_energy_wh: Interval
    energy_wh: Interval
    co2e_operational_grams: Interval
    co2e_embodied_grams: Interval
    co2e_grams: Interval
    water_liters: Interval | None


def per_wh(boundary: Boundary, place: Place, constants: Constants) -> PerWh:
    """Return what one Wh at the boundary of a factor set stands for at a place."""
    it_wh = it_energy_per_wh(boundary, place.pue_ratio, constants.it_over_accelerator_ratio)
    pue_ratio = pue_beyond_set_ratio(boundary, place.pue_ratio)
    operational = operational_g_per_it_kwh(pue_ratio, place.intensity_g_per_kwh)
    embodied = constants.embodied_g_per_it_kwh
    water = None
    if place.wue_offsite_l_per_kwh is not None:
        water = water_l_per_it_kwh(place.wue_onsite_l_per_it_kwh, pue_ratio, place.wue_offsite_l_per_kwh)
    it_kwh = it_wh.scaled(kwh_from_wh(1.0))
    return PerWh(
        it_energy_wh=it_wh,
        energy_wh=facility_energy_wh(it_wh, pue_ratio),
        co2e_operational_grams=it_kwh * operational,
        co2e_embodied_grams=it_kwh * embodied,
        co2e_grams=it_kwh * total_g_per_it_kwh(operational, embodied),
        water_liters=None if water is None else it_kwh * water,
    )
