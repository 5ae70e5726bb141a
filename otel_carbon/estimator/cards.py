"""From what was looked up for a kind of call to a card that only its tokens are missing from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from otel_carbon.estimator.calls import CHEAPER_TIERS, of_guess, with_note
from otel_carbon.estimator.card import RateCard, apply_card, rate_card
from otel_carbon.estimator.derivation import Derivation, widened
from otel_carbon.estimator.per_wh import per_wh
from otel_carbon.estimator.uncertainty import hull_of_footprints, with_media
from otel_carbon.factors import Basis
from otel_carbon.factors.constants import Constants
from otel_carbon.model import Call, Footprint, NotEstimated, Outcome, Status, Usage

if TYPE_CHECKING:  # the modules of other bases load with the first set that needs them
    from otel_carbon.estimator.amounts import AmountCard
    from otel_carbon.estimator.items import ItemCard
    from otel_carbon.estimator.parametric import LcaCard

__all__ = ["Card", "apply", "card_of", "footprint_of", "item_card_of"]

_ABSURD = NotEstimated(Status.NO_USAGE, "the token counts are too large to be real")

Card: TypeAlias = "RateCard | AmountCard | LcaCard"
"""What a call is multiplied with by its tokens."""


def card_of(found: Derivation, constants: Constants, notes: tuple[str, ...] = (), *, water: bool) -> Card:
    """Return the card of a derivation."""
    if found.factor_set.basis is Basis.PER_TOKEN:
        return rate_card(
            widened(constants, found.row, found.step),
            per_wh(found.factor_set.boundary, found.place, constants),
            model=found.model.name,
            factor=found.factor,
            confidence=found.confidence,
            region=found.location.region,
            grid=found.location.grid,
            notes=(*found.notes, *notes),
            grid_keys=found.location.grid_keys,
        )
    facts = _facts(found, notes)
    lca, model = found.factor_set.lca, found.row.lca
    if lca is not None and model is not None:
        from otel_carbon.estimator.parametric import LcaCard, data_centre  # noqa: PLC0415 - start-up must be light

        return LcaCard(facts, lca.constants, model, data_centre(lca, found.location, found.place), water)
    from otel_carbon.estimator.amounts import amount_card  # noqa: PLC0415 - start-up must be light

    return amount_card(found.factor_set, found.row, found.location, constants, facts, water=water)


def item_card_of(found: Derivation, constants: Constants, notes: tuple[str, ...] = ()) -> ItemCard:
    """Return the card of a derivation whose row is for what is counted by the item."""
    from otel_carbon.estimator.items import ItemCard  # noqa: PLC0415 - start-up must be light

    rate = found.row.item
    assert rate is not None
    return ItemCard(
        facts=_facts(found, notes),
        wh_per_item=rate.wh_per_item,
        per_wh=per_wh(rate.boundary, found.place, constants),
        of_this_model=bool(found.row.match),
        grid_keys=found.location.grid_keys,
    )


def apply(card: Card, usage: Usage, latency_s: float | None) -> Footprint:
    """Return the footprint of a call.

    Raises:
        OverflowError: the token counts are beyond reason.
    """
    return apply_card(card, usage) if isinstance(card, RateCard) else card.footprint(usage, latency_s)


def footprint_of(card: Card, usage: Usage, call: Call, constants: Constants) -> Outcome:
    """Return the footprint of a call by its card: with both readings of its counts, its tier and its media."""
    if call.guessed:
        return of_guess(footprint_of(card, usage, replace(call, guessed=False), constants))
    alternative, tier = call.usage_alternative, call.service_tier
    try:
        if call.media_outside_input:
            plain = footprint_of(card, usage, replace(call, media_outside_input=False), constants)
            return with_media(plain, constants.media_over_text_ratio)
        if tier in CHEAPER_TIERS:
            plain = footprint_of(card, usage, replace(call, service_tier=None), constants)
            return with_note(plain, f"ran in the {tier} tier: no discount is made, since no energy figure is published")
        if alternative is None and type(card) is RateCard:  # nearly every call
            return apply_card(card, usage)
        footprint = apply(card, usage, call.latency_s)
        other = footprint if alternative is None else apply(card, alternative, call.latency_s)
        return footprint if alternative is None else hull_of_footprints(footprint, other)
    except (OverflowError, ValueError):  # beyond floats; an estimator that raises would hold up the ledger
        return _ABSURD


def _facts(found: Derivation, notes: tuple[str, ...]) -> Footprint:
    return Footprint(
        model=found.model.name,
        energy_wh=None,
        it_energy_wh=None,
        co2e_grams=None,
        co2e_operational_grams=None,
        co2e_embodied_grams=None,
        water_liters=None,
        factor=found.factor,
        confidence=found.confidence,
        region=found.location.region,
        grid=found.location.grid,
        notes=(*found.notes, *notes),
    )
