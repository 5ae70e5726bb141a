"""The cards that an estimator has made so far: calls of one kind share everything but their token counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from otel_carbon.estimator.cards import Card, card_of, item_card_of
from otel_carbon.estimator.derivation import Derivation, Names, derive
from otel_carbon.estimator.hourly import Hour
from otel_carbon.estimator.items import ItemCard
from otel_carbon.estimator.recompute import remembered
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.estimator.versions import Period
from otel_carbon.factors import FactorTables
from otel_carbon.model import FactorRef, Grid, GridReading, Region

__all__ = ["Deck"]

_CARDS_AT_MOST = 4096  # so that absurd model names cannot grow memory
_UNKNOWN_STEPS = frozenset({"global_default", "fallback_global_default"})


class Deck:
    """Cards by the place of a period in `periods`, names and where the call ran. Safe for use by several threads."""

    def __init__(self, tables: FactorTables, settings: EstimatorSettings, periods: Sequence[Period]) -> None:
        self._tables = tables
        self._settings = settings
        self._periods = periods
        self.card = lru_cache(maxsize=_CARDS_AT_MOST)(self._card)
        """Return the card of a kind of call; None where nothing is known of the model and that is not allowed."""
        self.card_of_hour = lru_cache(maxsize=_CARDS_AT_MOST)(self._card_of_hour)
        """Return the card of a kind of call that has one, with the grid as it was in an hour."""
        self.remembered = lru_cache(maxsize=_CARDS_AT_MOST)(self._remembered)
        """Return the card that a mark stands for."""
        self.item_card = lru_cache(maxsize=_CARDS_AT_MOST)(self._item_card)
        """Return what the items of a kind of call are multiplied with."""
        self.remembered_items = lru_cache(maxsize=_CARDS_AT_MOST)(self._remembered_items)
        """Return what items are multiplied with by a mark."""

    def _card(self, version: int, *names: str | None) -> Card | None:
        found = self._derived(version, Names(*names))
        return None if found is None else self._card_of(found, self._periods[version].notes)

    def _card_of_hour(self, reading: GridReading | None, covers: bool, version: int, *names: str | None) -> Card:
        period, hour = self._periods[version], Hour(reading, covers)
        derivation = derive(self._tables, self._settings, period.factor_set, Names(*names), hour, own=period.own)
        assert derivation is not None
        return self._card_of(derivation, period.notes)

    def _remembered(self, names: Names, factor: FactorRef, region: Region | None, grid: Grid | None) -> Card | None:
        found = remembered(self._tables, self._settings, names, factor=factor, region=region, grid=grid)
        return None if found is None else self._card_of(found)

    def _item_card(
        self, version: int, names: Names, reading: GridReading | None = None, covers: bool | None = None
    ) -> ItemCard | None:
        found = self._derived(version, names, None if covers is None else Hour(reading, covers))
        return None if found is None else item_card_of(found, self._tables.constants, self._periods[version].notes)

    def _remembered_items(
        self, names: Names, factor: FactorRef, region: Region | None, grid: Grid | None
    ) -> ItemCard | None:
        found = remembered(self._tables, self._settings, names, factor=factor, region=region, grid=grid)
        return None if found is None else item_card_of(found, self._tables.constants)

    def _derived(self, version: int, names: Names, hour: Hour | None = None) -> Derivation | None:
        period = self._periods[version]
        found = derive(self._tables, self._settings, period.factor_set, names, hour, own=period.own)
        if found is None or (found.step in _UNKNOWN_STEPS and not self._settings.fallback):
            return None
        return found

    def _card_of(self, derivation: Derivation, notes: tuple[str, ...] = ()) -> Card:
        return card_of(derivation, self._tables.constants, notes, water=self._settings.water)
