"""Calls that make images or video, or speak or hear: energy by the item, where tokens do not tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from otel_carbon.estimator.calls import has_tokens, with_note
from otel_carbon.estimator.per_wh import PerWh
from otel_carbon.estimator.uncertainty import combined
from otel_carbon.factors import FactorTables
from otel_carbon.factors.patterns import classify
from otel_carbon.model import (
    Call,
    Confidence,
    Footprint,
    Interval,
    ItemKind,
    Items,
    Mark,
    NotEstimated,
    Outcome,
    Status,
)

__all__ = ["ItemCard", "counted", "item_outcome"]

_MADE_BY_ITEM = frozenset({"image-generation", "video-generation"})
_NAMES = {
    ItemKind.IMAGES: ("image", "images"),
    ItemKind.VIDEOS: ("video clip", "video clips"),
    ItemKind.AUDIO_SECONDS: ("second of audio", "seconds of audio"),
}
_CONFIDENCES = tuple(Confidence)


class _Estimates(Protocol):
    """What is needed of an estimator."""

    tables: FactorTables

    def estimate(self, call: Call) -> Outcome: ...

    def recompute(self, call: Call, mark: Mark) -> Outcome: ...

    def item_card(self, call: Call, mark: Mark | None) -> ItemCard | None: ...


@dataclass(frozen=True, slots=True)
class ItemCard:
    """Everything about a kind of call but the number of its items. `facts` is a footprint without quantities."""

    facts: Footprint
    wh_per_item: Interval
    per_wh: PerWh
    of_this_model: bool
    """Whether the figure is that of the model, and not of all models that make such items."""
    grid_keys: tuple[str, ...]
    """What a source of hourly intensities may know the grid by."""

    def footprint(self, items: Items) -> Footprint:
        """Return the footprint of so many items."""
        energy_wh, per_wh = self.wh_per_item.scaled(items.count), self.per_wh
        return replace(
            self.facts,
            energy_wh=energy_wh * per_wh.energy_wh,
            it_energy_wh=energy_wh * per_wh.it_energy_wh,
            co2e_grams=energy_wh * per_wh.co2e_grams,
            co2e_operational_grams=energy_wh * per_wh.co2e_operational_grams,
            co2e_embodied_grams=energy_wh * per_wh.co2e_embodied_grams,
            water_liters=None if per_wh.water_liters is None else energy_wh * per_wh.water_liters,
        )


def item_outcome(estimator: _Estimates, call: Call, items: Items, mark: Mark | None = None) -> Outcome:
    """Return the footprint of a call with items; by the factors and the place of a mark, where there is one.

    A model that makes images or video is counted by them alone: its tokens are the same work. Another model's tokens
    count beside what it had made. Audio without a figure per second is counted by its tokens, where it has some.
    """
    plain = replace(call, items=None)

    def by_tokens() -> Outcome:
        return estimator.estimate(plain) if mark is None else estimator.recompute(plain, mark)

    if items.count == 0.0:
        return by_tokens()
    card = estimator.item_card(call, mark)
    if card is None:
        if items.kind is ItemKind.AUDIO_SECONDS and has_tokens(call):
            return with_note(by_tokens(), f"{counted(items)}: counted by the tokens of the call")
        return _no_factor(call, items)
    made = card.footprint(items)
    if not has_tokens(call):
        return made
    if card.of_this_model or _makes_items(estimator.tables, made.model):
        return with_note(made, "counted by what was made: the tokens of the call are the same work and are not added")
    rest = by_tokens()
    return _sum(rest, made, items) if isinstance(rest, Footprint) else made


def counted(items: Items) -> str:
    """Return items as a person says it: `1 image`, `12.5 seconds of audio`."""
    one, many = _NAMES[items.kind]
    return f"{items.count:g} {one if items.count == 1 else many}"


def _no_factor(call: Call, items: Items) -> NotEstimated:
    name = call.model or call.request_model
    of_model = f"of {name}" if name else "of a model without a name"
    return NotEstimated(Status.UNKNOWN_MODEL, f"{counted(items)}: no factor per {_NAMES[items.kind][0]} {of_model}")


def _makes_items(tables: FactorTables, model: str) -> bool:
    return classify(model, tables.patterns).model_class in _MADE_BY_ITEM


def _sum(tokens: Footprint, made: Footprint, items: Items) -> Footprint:
    """Return tokens and items together. Of one call bounds add; what one part does not give, the sum does not."""

    def both(one: Interval | None, other: Interval | None) -> Interval | None:
        return None if one is None or other is None else one + other

    return replace(
        combined(tokens, made, both),
        confidence=max(tokens.confidence, made.confidence, key=_CONFIDENCES.index),
        notes=(*tokens.notes, f"holds {counted(items)} by {made.factor.id} of {made.factor.set}, beside the tokens"),
    )
