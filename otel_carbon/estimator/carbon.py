"""Emissions and water per kWh of IT energy."""

from __future__ import annotations

import math

from otel_carbon.model import Interval

__all__ = ["operational_g_per_it_kwh", "total_g_per_it_kwh", "water_l_per_it_kwh"]


def operational_g_per_it_kwh(pue_ratio: Interval, intensity_g_per_kwh: Interval) -> Interval:
    """Return the emissions of electricity in g per kWh of IT energy: facility energy times grid intensity."""
    return pue_ratio * intensity_g_per_kwh


def total_g_per_it_kwh(operational_g_per_kwh: Interval, embodied_g_per_kwh: Interval) -> Interval:
    """Return operational plus embodied emissions, in g per kWh of IT energy."""
    return _sum_of_independent(operational_g_per_kwh, embodied_g_per_kwh)


def water_l_per_it_kwh(onsite_l_per_it_kwh: Interval, pue_ratio: Interval, offsite_l_per_kwh: Interval) -> Interval:
    """Return the water of cooling and of electricity generation, in L per kWh of IT energy.

    Cooling water is given per kWh of IT energy (ISO/IEC 30134-9); generation is for all energy, so PUE counts there.
    """
    return _sum_of_independent(onsite_l_per_it_kwh, pue_ratio * offsite_l_per_kwh)


def _sum_of_independent(first: Interval, second: Interval) -> Interval:
    """Return the sum of two independent split log-normal quantities, to first order at the central point.

    The log-normal spreads are weighted by each part's share of the sum and added in quadrature (delta method).
    """
    total = first.central + second.central
    if total <= 0.0:
        return Interval.exact(0.0)
    of_first, of_second = first.central / total, second.central / total
    return Interval.around(
        total,
        math.hypot(of_first * first.spread_below(), of_second * second.spread_below()),
        math.hypot(of_first * first.spread_above(), of_second * second.spread_above()),
    )
