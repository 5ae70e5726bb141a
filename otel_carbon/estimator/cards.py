"""From what was looked up for a kind of call to a card that only its tokens are missing from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from otel_carbon.estimator.card import RateCard, apply_card, rate_card
from otel_carbon.estimator.derivation import Derivation, widened
from otel_carbon.estimator.per_wh import per_wh
from otel_carbon.factors import Basis
from otel_carbon.factors.constants import Constants
from otel_carbon.model import Footprint, Usage

if TYPE_CHECKING:  # the modules of other bases load with the first set that needs them
    from otel_carbon.estimator.amounts import AmountCard
    from otel_carbon.estimator.items import ItemCard
    from otel_carbon.estimator.parametric import LcaCard

__all__ = ["Card", "apply", "card_of", "item_card_of"]

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
