"""The arithmetic of a rate card, prepared once for all calls of a kind."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt

from otel_carbon.estimator.card import LOWEST_RATIO, RateCard

__all__ = ["Quantities", "Tokens", "prepared_quantities"]

_MILLION = 1e6  # tokens that a rate is given for

Tokens = tuple[int, int, int, int, int]
"""Counts in the order of the fields of `Usage`."""
Quantities = tuple[float, ...]
"""Facility energy in Wh and emissions in g, each central, low and high; embodied g; water in L, where asked for."""


def prepared_quantities(card: RateCard) -> Callable[[Tokens], Quantities]:
    """Return what gives, for token counts, what a mark has of `apply_card`: the same figures to the last bit.

    It is written out, and its numbers are local, because it runs for every call of an application.
    """
    low_uncached, low_read, low_write, low_visible, low_reasoning = card.low_wh_per_1m
    mid_uncached, mid_read, mid_write, mid_visible, mid_reasoning = card.central_wh_per_1m
    high_uncached, high_read, high_write, high_visible, high_reasoning = card.high_wh_per_1m
    energy, energy_below, energy_above = card.energy
    co2e, co2e_below, co2e_above = card.co2e
    embodied, water = card.co2e_embodied[0], None if card.water is None else card.water[0]
    energy_is_exact, co2e_is_exact = energy_below == energy_above == 0.0, co2e_below == co2e_above == 0.0

    def quantities(tokens: Tokens) -> Quantities:
        uncached, read, write, visible, reasoning = tokens
        low = uncached * low_uncached
        central = uncached * mid_uncached
        high = uncached * high_uncached
        if read or write:
            low = low + read * low_read + write * low_write
            central = central + read * mid_read + write * mid_write
            high = high + read * high_read + write * high_write
        low += visible * low_visible
        central += visible * mid_visible
        high += visible * high_visible
        if reasoning:
            low += reasoning * low_reasoning
            central += reasoning * mid_reasoning
            high += reasoning * high_reasoning
        low, central, high = low / _MILLION, central / _MILLION, high / _MILLION
        below = above = 0.0
        if central > 0.0:
            least = central / LOWEST_RATIO
            below, above = log(central / (max(least, low))) ** 2, log(high / central) ** 2
        wh, grams = central * energy, central * co2e
        if energy_is_exact:
            low_wh, high_wh = low * energy, high * energy
        else:
            low_wh, high_wh = wh * exp(-sqrt(below + energy_below)), wh * exp(sqrt(above + energy_above))
        if co2e_is_exact:
            low_grams, high_grams = low * co2e, high * co2e
        else:
            low_grams, high_grams = grams * exp(-sqrt(below + co2e_below)), grams * exp(sqrt(above + co2e_above))
        if water is None:
            return wh, low_wh, high_wh, grams, low_grams, high_grams, central * embodied
        return wh, low_wh, high_wh, grams, low_grams, high_grams, central * embodied, central * water

    return quantities
