"""Footprints of two parts or two readings of one call, quantity by quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from otel_carbon.model import Confidence, Footprint, Interval, Outcome

__all__ = ["combined", "hull", "hull_of_footprints", "with_media"]

_TWO_READINGS = "nothing tells whether the cached tokens are inside the input count: the bounds hold both readings"

_MEDIA_NOTE = (
    "the request held images or audio that no token count includes: multiplied by {central:g} ({low:g} to {high:g})"
)

_Quantity = Interval | None


def combined(first: Footprint, second: Footprint, by: Callable[[_Quantity, _Quantity], _Quantity]) -> Footprint:
    """Return the first footprint, each of its quantities combined with that of the second."""
    return replace(
        first,
        energy_wh=by(first.energy_wh, second.energy_wh),
        it_energy_wh=by(first.it_energy_wh, second.it_energy_wh),
        co2e_grams=by(first.co2e_grams, second.co2e_grams),
        co2e_operational_grams=by(first.co2e_operational_grams, second.co2e_operational_grams),
        co2e_embodied_grams=by(first.co2e_embodied_grams, second.co2e_embodied_grams),
        water_liters=by(first.water_liters, second.water_liters),
        primary_energy_mj=by(first.primary_energy_mj, second.primary_energy_mj),
        abiotic_depletion_kgsbeq=by(first.abiotic_depletion_kgsbeq, second.abiotic_depletion_kgsbeq),
    )


def hull(first: Interval, second: Interval) -> Interval:
    """Return the centre of the first with bounds that hold both intervals."""
    return Interval(min(first.low, second.low), first.central, max(first.high, second.high))


def hull_of_footprints(first: Footprint, second: Footprint) -> Footprint:
    """Return the first footprint with bounds that hold both, two readings of one call: its confidence is low."""

    def both(one: _Quantity, other: _Quantity) -> _Quantity:
        return one if one is None or other is None else hull(one, other)

    notes = (*first.notes, _TWO_READINGS)
    return replace(combined(first, second, both), confidence=Confidence.LOW, notes=notes)


def with_media(outcome: Outcome, ratio: Interval) -> Outcome:
    """Return an estimate of what was counted, with what images and audio in the request added on top."""
    if not isinstance(outcome, Footprint):
        return outcome

    def more(value: _Quantity, _: _Quantity) -> _Quantity:
        return None if value is None else value * ratio

    note = _MEDIA_NOTE.format(low=ratio.low, central=ratio.central, high=ratio.high)
    return replace(combined(outcome, outcome, more), notes=(*outcome.notes, note))
