"""Two readings of one call: bounds that hold both."""

from __future__ import annotations

from dataclasses import replace

from otel_carbon.model import Confidence, Footprint, Interval, Outcome

__all__ = ["hull", "hull_of_footprints", "with_media"]

_TWO_READINGS = "nothing tells whether the cached tokens are inside the input count: the bounds hold both readings"

_MEDIA_NOTE = (
    "the request held images or audio that no token count includes: multiplied by {central:g} ({low:g} to {high:g})"
)


def hull(first: Interval, second: Interval) -> Interval:
    """Return the centre of the first with bounds that hold both intervals."""
    return Interval(min(first.low, second.low), first.central, max(first.high, second.high))


def hull_of_footprints(first: Footprint, second: Footprint) -> Footprint:
    """Return the first footprint with bounds that hold both, two readings of one call: its confidence is low."""

    def both(one: Interval | None, other: Interval | None) -> Interval | None:
        return one if one is None or other is None else hull(one, other)

    return replace(
        first,
        confidence=Confidence.LOW,
        notes=(*first.notes, _TWO_READINGS),
        energy_wh=both(first.energy_wh, second.energy_wh),
        it_energy_wh=both(first.it_energy_wh, second.it_energy_wh),
        co2e_grams=both(first.co2e_grams, second.co2e_grams),
        co2e_operational_grams=both(first.co2e_operational_grams, second.co2e_operational_grams),
        co2e_embodied_grams=both(first.co2e_embodied_grams, second.co2e_embodied_grams),
        water_liters=both(first.water_liters, second.water_liters),
        primary_energy_mj=both(first.primary_energy_mj, second.primary_energy_mj),
        abiotic_depletion_kgsbeq=both(first.abiotic_depletion_kgsbeq, second.abiotic_depletion_kgsbeq),
    )


def with_media(outcome: Outcome, ratio: Interval) -> Outcome:
    """Return an estimate of what was counted, with what images and audio in the request added on top."""
    if not isinstance(outcome, Footprint):
        return outcome

    def more(value: Interval | None) -> Interval | None:
        return None if value is None else value * ratio

    note = _MEDIA_NOTE.format(low=ratio.low, central=ratio.central, high=ratio.high)
    return replace(
        outcome,
        energy_wh=more(outcome.energy_wh),
        it_energy_wh=more(outcome.it_energy_wh),
        co2e_grams=more(outcome.co2e_grams),
        co2e_operational_grams=more(outcome.co2e_operational_grams),
        co2e_embodied_grams=more(outcome.co2e_embodied_grams),
        water_liters=more(outcome.water_liters),
        primary_energy_mj=more(outcome.primary_energy_mj),
        abiotic_depletion_kgsbeq=more(outcome.abiotic_depletion_kgsbeq),
        notes=(*outcome.notes, note),
    )
