"""The estimator: calls in, footprints out."""

from __future__ import annotations

import sys
from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache

from otel_carbon.estimator.calls import (
    cut_short,
    is_zero,
    names_of,
    recurs,
    says_nothing,
    without_usage,
)
from otel_carbon.estimator.card import MOST_WH_PER_1M, RateCard
from otel_carbon.estimator.cards import footprint_of
from otel_carbon.estimator.deck import Deck
from otel_carbon.estimator.derivation import Derivation, derive
from otel_carbon.estimator.hourly import Hour, IntensitySource, reading_of
from otel_carbon.estimator.items import ItemCard, item_outcome
from otel_carbon.estimator.place import check_place_settings
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.estimator.versions import check_usable, periods
from otel_carbon.factors import FactorTables
from otel_carbon.factors.match import fallback_confidence
from otel_carbon.factors.names import MAX_NAME_CHARACTERS
from otel_carbon.model import (
    Call,
    FactorRef,
    Mark,
    NotEstimated,
    Outcome,
    Status,
)

__all__ = ["Estimator"]

_SETS_AT_MOST = 64
_UNKNOWN = NotEstimated(
    Status.UNKNOWN_MODEL, "there is no factor for this model, and falling back to another is switched off"
)
_DEFAULTS = EstimatorSettings()


class Estimator:
    """Estimates calls with one choice of settings. Safe for use by several threads; never raises for a call.

    `hourly` knows the grid by the hour; without it, and wherever it has no figure, the yearly one applies.

    Raises:
        ConfigError: the settings name a factor set, region or zone that cannot be used.
        FactorError: a factor table is damaged.
    """

    def __init__(
        self, tables: FactorTables, settings: EstimatorSettings = _DEFAULTS, hourly: IntensitySource | None = None
    ) -> None:
        self.tables = tables = tables.with_factor_sets(settings.factor_sets)
        self.settings = settings
        self.hourly = hourly
        self._versions = tables.versions(settings.factor_set)
        for version in self._versions:
            check_usable(tables, version)
        fallback_ids = {version.fallback_id for version in self._versions}
        self._fallbacks = {
            set_id: Estimator(tables, replace(settings, factor_set=set_id), hourly) for set_id in fallback_ids if set_id
        }
        check_place_settings(tables, settings)
        self._own = tables.own_sets(settings.factor_sets) if settings.own_sets_first else ()
        self._starts_unix_nano, self._periods = periods(self._versions, self._own)
        self._deck = Deck(tables, settings, self._periods)
        self._card = self._deck.card  # what every call looks up
        # Sets that single calls ask for; each is read when it is first asked for.
        self._of_set = lru_cache(maxsize=_SETS_AT_MOST)(self._new_of_set)
        # Reads the tables that a call needs: a damaged one is found here, not in the middle of a request.
        self._card(len(self._periods) - 1, "gpt-4o", None, None, "eu-west-1", "api.openai.com")

    def estimate(self, call: Call, factor_set: str | None = None) -> Outcome:
        """Return the footprint of a call, or why it has none; by another factor set than the settings' where named.

        Raises:
            ConfigError: there is no such factor set.
        """
        if factor_set is not None or call.items is not None:
            return self._apart(call, factor_set)
        usage = call.usage
        # Nearly every call has visible output; asking that first spares the look at the rest.
        if usage is None or (not usage.visible_output_tokens and is_zero(usage)):
            return without_usage(call)
        model, request_model, provider = call.model, call.request_model, call.provider
        region, server_address, caller_region = call.region, call.server_address, call.caller_region
        for text in (model, request_model, provider, region, server_address, caller_region):
            if text is not None and len(text) > MAX_NAME_CHARACTERS:
                return self.estimate(cut_short(call))  # the names decide nothing beyond that length
        version = self._version(call.at_unix_nano)
        card = self._card(version, model, request_model, provider, region, server_address, caller_region)
        if card is None:
            return _UNKNOWN
        if self.hourly is not None and card.grid_keys:
            found, covers = reading_of(self.hourly, card.grid_keys, call.at_unix_nano)
            card = self._deck.card_of_hour(
                found, covers, version, model, request_model, provider, region, server_address, caller_region
            )
        outcome = footprint_of(card, usage, call, self.tables.constants)
        if self._fallbacks and says_nothing(outcome):
            return self._instead_of_zero(call, outcome)
        return outcome

    def kind_of(self, call: Call) -> tuple[RateCard, tuple[int, int]] | None:
        """Return the card of calls that differ from this one in tokens alone, and the period in which it holds.

        None: more decides. The period is in ns since 1970, and its end is not in it.
        """
        if call.at_unix_nano is None or self._fallbacks or self.hourly is not None or not recurs(call):
            return None
        version, starts = self._version(call.at_unix_nano), self._starts_unix_nano
        names = (call.model, call.request_model, call.provider, call.region, call.server_address, call.caller_region)
        card = self._card(version, *names)
        if not isinstance(card, RateCard) or max(card.high_wh_per_1m) > MOST_WH_PER_1M:
            return None
        ends = starts[version] if version < len(starts) else sys.maxsize
        return card, (starts[version - 1] if version else 1, ends)

    def recompute(self, call: Call, mark: Mark) -> Outcome:
        """Return the footprint that a mark of another stage stands for, in full precision.

        Factor set, factor, grid and region are those of the mark; tokens are those of the call. What the mark names
        and these tables do not have is estimated anew, and a note says so.
        """
        if call.items is not None:
            return item_outcome(self, call, call.items, mark)
        usage = call.usage
        if usage is None or is_zero(usage):
            return without_usage(call)
        if mark.factor is None:
            return self.estimate(call)
        card = self._deck.remembered(names_of(call), mark.factor, mark.region, mark.grid)
        if card is not None:
            return footprint_of(card, usage, call, self.tables.constants)
        outcome = self.estimate(call)
        if isinstance(outcome, NotEstimated):
            return outcome
        note = f"estimated anew: factor {mark.factor.id!r} of {mark.factor.set!r} is not among these factor sets"
        return replace(outcome, notes=(*outcome.notes, note))

    def item_card(self, call: Call, mark: Mark | None = None) -> ItemCard | None:
        """Return what the items of a call are multiplied with, at the place of a mark where there is one."""
        names, version = names_of(call), self._version(call.at_unix_nano)
        card = self._deck.item_card(version, names)
        if mark is not None and mark.factor is not None:
            # The mark of a call that has tokens beside its items names the factor of the tokens.
            factors = [mark.factor, *([] if card is None else [card.facts.factor])]
            cards = (self._deck.remembered_items(names, factor, mark.region, mark.grid) for factor in factors)
            return next((found for found in cards if found is not None), None)
        if card is None or self.hourly is None or not card.grid_keys:
            return card
        return self._deck.item_card(version, names, *reading_of(self.hourly, card.grid_keys, call.at_unix_nano))

    def of_set(self, factor_set: str) -> Estimator:
        """Return an estimator with the same settings by another factor set, and no other of the user's before it.

        Raises:
            ConfigError: there is no such factor set.
            FactorError: its file is damaged.
        """
        return self if factor_set == self.settings.factor_set and not self._own else self._of_set(factor_set)

    def derive(self, call: Call) -> Derivation | None:
        """Return everything that is looked up for a call, for those who explain it; None: no factor for it."""
        period = self._periods[self._version(call.at_unix_nano)]
        found = derive(self.tables, self.settings, period.factor_set, names_of(call), own=period.own)
        if found is None or self.hourly is None or not found.location.grid_keys:
            return found
        hour = Hour(*reading_of(self.hourly, found.location.grid_keys, call.at_unix_nano))
        return derive(self.tables, self.settings, period.factor_set, names_of(call), hour, own=period.own)

    def _apart(self, call: Call, factor_set: str | None) -> Outcome:
        """Return the outcome of a call by another set, or of one with items, which few calls have."""
        if factor_set is not None:
            return self.of_set(factor_set).estimate(call)
        assert call.items is not None
        return item_outcome(self, call, call.items)

    def _instead_of_zero(self, call: Call, zero: Outcome) -> Outcome:
        """Return what the fallback set says of a call whose tokens the factor set has no figure for."""
        factor_set = self._periods[self._version(call.at_unix_nano)].factor_set
        fallback = self._fallbacks.get(factor_set.fallback_id or "")
        outcome = zero if fallback is None else fallback.estimate(call)
        if outcome is zero or isinstance(outcome, NotEstimated):
            return zero
        factor = FactorRef(outcome.factor.set, outcome.factor.id, f"fallback_{outcome.factor.match}")
        note = f"{factor_set.id} has no figure for these tokens: {outcome.factor.set} answered"
        confidence = fallback_confidence(outcome.confidence)
        return replace(outcome, factor=factor, confidence=confidence, notes=(*outcome.notes, note))

    def _version(self, at_unix_nano: int | None) -> int:
        """Return the place of the period that a time is in; without a time the last one."""
        return -1 if at_unix_nano is None else bisect_right(self._starts_unix_nano, at_unix_nano)

    def _new_of_set(self, factor_set: str) -> Estimator:
        settings = replace(self.settings, factor_set=factor_set, own_sets_first=False)
        return Estimator(self.tables, settings, self.hourly)
