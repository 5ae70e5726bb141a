"""A counted call as a row of `lines`, with its hash. This is the hot path: one row per call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_carbon.estimator.accounting import AccountingSettings
from otel_carbon.estimator.market import MarketFigure
from otel_carbon.ledger.accounts import account_columns, market_based, supplier_figure
from otel_carbon.ledger.canonical import encode_row, leaf_hash
from otel_carbon.ledger.columns import MEDIA, NEGATED, QUANTITIES
from otel_carbon.ledger.profiles import INDEX, Profile, Why, new_profile, profile_key, who_of, why_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import (
    Call,
    Footprint,
    Interval,
    ItemKind,
    Mark,
    NotEstimated,
    Outcome,
    Sighting,
    Status,
    Usage,
)

__all__ = ["CLAIM_TOLERANCE", "LineBuilder", "LineHead", "reversal_row"]

CLAIM_TOLERANCE = 1e-5
"""Relative difference up to which a claim agrees: attributes carry six significant digits."""

LineHead = tuple[int, str, str, str, str]
"""Sequence number, when it was recorded, when it happened, trace id, span id."""

_MOST_TOKENS = 10**15  # no call has as many, and sums stay inside 64 bits
_MOST_PROFILES = 4096
_NO_TOKENS = (None,) * 5
_NO_MEDIA = (None,) * len(MEDIA)
_NO_QUANTITIES = (None,) * (3 * len(QUANTITIES))
_NO_INTERVAL = (None, None, None)
_NO_SPARSE = _NO_INTERVAL * 4
_NO_CLAIM = (None,) * 5
_FACTOR = slice(INDEX["factor_set"] - INDEX["region"], INDEX["factor_match"] - INDEX["region"])
_NEGATED_INDEXES = frozenset(INDEX[name] for name in NEGATED)


class LineBuilder:
    """Builds rows of kind `call`, in table order."""

    def __init__(self, accounting: AccountingSettings | None = None) -> None:
        self._accounting = accounting or AccountingSettings()
        self._profiles: dict[tuple[Any, ...], Profile] = {}

    def row(
        self,
        head: LineHead,
        sighting: Sighting,
        outcome: Outcome,
        place: Footprint | None,
        source: str,
        *,
        notes: tuple[str, ...] | None = None,
    ) -> tuple[Any, ...]:
        """Return the row of one call.

        `place` is the footprint itself, or, where there is none, one that only says which model and place it would
        have been. `notes` are those of the line where the outcome is on the span though the sighting
        is older than that.
        """
        call = sighting.call or Call()
        seq, recorded_at, occurred_at, trace_id, span_id = head
        figure = supplier_figure(self._accounting, call, outcome, occurred_at)
        profile = self._profile(sighting, call, why_of(outcome, notes), place, source, figure=figure)
        row = (
            seq,
            "call",
            recorded_at,
            occurred_at,
            *who_of(profile, sighting.attribution),
            *_tokens(call.usage, outcome, profile.adjusted_count),
            *_media(call, profile.adjusted_count),
            *_quantities(outcome, profile.adjusted_count, figure),
            *profile.where,
            trace_id,
            span_id,
            clean(call.response_id),
            *profile.tail,
            *(_claim(sighting.mark, outcome) if notes is None else _own_claim(outcome, profile)),
        )
        return (*row, leaf_hash(profile.encode(row) or encode_row(row)))

    def _profile(
        self,
        sighting: Sighting,
        call: Call,
        why: Why,
        place: Footprint | None,
        source: str,
        *,
        figure: MarketFigure | None,
    ) -> Profile:
        key = (*profile_key(sighting, call, why, place, source), figure)
        profile = self._profiles.get(key)
        if profile is None:
            if len(self._profiles) >= _MOST_PROFILES:
                self._profiles.clear()
            account = account_columns(self._accounting, sighting.attribution, call, place, figure)
            profile = self._profiles[key] = new_profile(sighting, call, why, place, source, account=account)
        return profile


def reversal_row(original: Sequence[Any], seq: int, recorded_at: str, reason: str) -> tuple[Any, ...]:
    """Return the row that takes a line back: the same line with negated quantities, so that sums are right."""
    row = [_negated(value) if index in _NEGATED_INDEXES else value for index, value in enumerate(original)]
    changed = {"seq": seq, "kind": "reversal", "recorded_at": recorded_at, "reason": reason}
    for name, value in {**changed, "reverses_seq": original[INDEX["seq"]]}.items():
        row[INDEX[name]] = value
    row[-1] = leaf_hash(encode_row(row))
    return tuple(row)


def _negated(value: float | None) -> float | None:
    return None if value is None else 0 - value  # 0 - 0.0 is 0.0, where -(0.0) would be -0.0


def _tokens(usage: Usage | None, outcome: Outcome, count: float) -> tuple[int | None, ...]:
    if usage is None or (isinstance(outcome, NotEstimated) and outcome.status is Status.NO_USAGE):
        return _NO_TOKENS
    read, write, reasoning = usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens
    tokens = (
        usage.uncached_input_tokens + read + write,
        read,
        write,
        usage.visible_output_tokens + reasoning,
        reasoning,
    )
    if count == 1.0 and max(tokens) <= _MOST_TOKENS:
        return tokens
    return tuple(round(min(number * count, _MOST_TOKENS)) for number in tokens)


def _media(call: Call, count: float) -> tuple[float | None, ...]:
    items = call.items
    if items is None and call.media_input_tokens is None and call.media_output_tokens is None:
        return _NO_MEDIA
    tokens = (_counted(call.media_input_tokens, count), _counted(call.media_output_tokens, count))
    if items is None:
        return (*tokens, None, None, None)
    whole = round(min(items.count * count, _MOST_TOKENS))
    return (
        *tokens,
        whole if items.kind is ItemKind.IMAGES else None,
        whole if items.kind is ItemKind.VIDEOS else None,
        items.count * count if items.kind is ItemKind.AUDIO_SECONDS else None,
    )


def _counted(tokens: int | None, count: float) -> int | None:
    return None if tokens is None else round(min(tokens * count, _MOST_TOKENS))


def _quantities(outcome: Outcome, count: float, figure: MarketFigure | None) -> Sequence[float | None]:
    if not isinstance(outcome, Footprint):
        return _NO_QUANTITIES
    values = (
        *_bounds(outcome.it_energy_wh),
        *_bounds(outcome.energy_wh),
        *_bounds(outcome.co2e_operational_grams),
        *_bounds(outcome.co2e_embodied_grams),
        *_bounds(outcome.co2e_grams),
        *_sparse(outcome, figure),
    )
    if count == 1.0:
        return values
    return [None if value is None else value * count for value in values]


def _sparse(outcome: Footprint, figure: MarketFigure | None) -> Sequence[float | None]:
    """Return what few lines have, from water on."""
    water, primary, depletion = outcome.water_liters, outcome.primary_energy_mj, outcome.abiotic_depletion_kgsbeq
    if water is None and primary is None and depletion is None and figure is None:
        return _NO_SPARSE
    market = market_based(outcome, figure)
    return (*_bounds(water), *_bounds(primary), *_bounds(depletion), *_bounds(market))


def _bounds(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return _NO_INTERVAL if interval is None else (interval.low, interval.central, interval.high)


def _claim(mark: Mark | None, outcome: Outcome) -> tuple[Any, ...]:
    """Return what an earlier stage claimed for the one call, and whether it differs from our own figures."""
    if mark is None or mark.status is not Status.ESTIMATED:
        return _NO_CLAIM
    energy_wh = None if mark.energy_wh is None else mark.energy_wh.central
    co2e_grams = None if mark.co2e_grams is None else mark.co2e_grams.central
    if isinstance(outcome, Footprint):
        differs = _differs(energy_wh, outcome.energy_wh) or _differs(co2e_grams, outcome.co2e_grams)
    else:
        differs = energy_wh is not None or co2e_grams is not None
    factor = mark.factor
    if factor is None:
        return (energy_wh, co2e_grams, None, None, int(differs))
    return (energy_wh, co2e_grams, clean(factor.set), clean(factor.id), int(differs))


def _own_claim(outcome: Outcome, profile: Profile) -> tuple[Any, ...]:
    """Return what reading the mark of this outcome from its span would give."""
    if not isinstance(outcome, Footprint):
        return _NO_CLAIM
    energy_wh = None if outcome.energy_wh is None else float(f"{outcome.energy_wh.central:.6g}")
    co2e_grams = None if outcome.co2e_grams is None else float(f"{outcome.co2e_grams.central:.6g}")
    return (energy_wh, co2e_grams, *profile.where[_FACTOR], 0)


def _differs(claimed: float | None, own: Interval | None) -> bool:
    if claimed is None:
        return False
    return own is None or abs(claimed - own.central) > CLAIM_TOLERANCE * abs(own.central)
