"""The `ledger` exporter of the gateway: every GenAI call becomes one line of the book."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from otel_carbon.errors import ConfigError, InvalidDataError, RetryableExportError, StorageError
from otel_carbon.estimator import Estimator, settings_from_environment
from otel_carbon.exporters._waiting import still_to_wait_s
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger, Recorded, ledger_path
from otel_carbon.model import Reversal
from otel_carbon.pipeline.component import Factory, JournalEntry, Kind, Settings, Stability, Telemetry
from otel_carbon.pipeline.otlp import sightings
from otel_carbon.pipeline.pdata import Enriched, Signal
from otel_carbon.pipeline.sender import sent_by
from otel_carbon.pipeline.tally import Tally
from otel_carbon.pipeline.undelivered import RefusedError, Undelivered
from otel_carbon.spans import SpanReader

__all__ = ["FACTORY", "Config", "LedgerExporter"]

# Nobody waits for a line, and every transaction is a sync of the disk that acknowledgements wait for as well.
_GATHER_S = 0.25
_ENOUGH_ITEMS = 4096


class TellTakenBack(Protocol):
    """Tells counters of another process what the ledger took back in the transaction that moved a cursor."""

    def __call__(self, cursor: str, position: int, reversals: Sequence[Reversal], *, at_start: bool) -> None:
        """Tell it. `at_start` is what the last transaction took back, which may have been told before."""
        ...


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the exporter.

    Raises:
        ConfigError: the URL names a kind of database that is not supported.
    """

    url: str = "sqlite:///ledger.db"
    """SQLite file, relative to the data directory with three slashes and absolute with four."""

    def __post_init__(self) -> None:
        """Refuse what cannot be opened."""
        try:
            ledger_path(self.url)
        except ConfigError as error:
            raise ConfigError(f"url: {error}") from error


class LedgerExporter:
    """Records the GenAI-related spans of traces. It keeps its own position, in the transaction of the lines."""

    accounts = True

    def __init__(self, config: Config, settings: Settings) -> None:
        shared = settings.shared
        self.path = ledger_path(config.url, Path(shared.get("data_dir", ".")))
        """The file of the ledger."""
        self._id = settings.id
        self._cursor = f"{settings.id}@{shared['journal_id']}"
        self._estimator: Estimator | None = shared.get("estimator")
        self._reader: SpanReader | None = shared.get("reader")
        self._tallies: list[Tally] = shared.get("tallies", [])
        self._tell: TellTakenBack | None = shared.get("taken_back")
        self._telemetry: Telemetry | None = shared.get("telemetry")
        self._ledger: Ledger | None = None

    def wait_s(self, entries: Sequence[JournalEntry], now_unix_nano: int) -> float:
        """Return how long these entries should wait for more to come into the same transaction, in s."""
        items = sum(entry.payload.items for entry in entries)
        return 0.0 if items >= _ENOUGH_ITEMS else still_to_wait_s(entries, now_unix_nano, _GATHER_S)

    async def start(self) -> None:
        """Open the ledger. Raises StorageError when its file cannot be used."""
        if self._ledger is None:
            self._ledger = await asyncio.to_thread(self._open)
            if self._tell is not None:
                self._tell(
                    self._cursor, *await asyncio.to_thread(self._ledger.last_taken_back, self._cursor), at_start=True
                )

    async def shutdown(self) -> None:
        """Close the ledger."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            await asyncio.to_thread(ledger.close)

    async def position(self) -> int | None:
        """Return the last position that is in the ledger; None when it has never recorded from this journal."""
        ledger = self._opened()
        return await asyncio.to_thread(ledger.cursor, self._cursor) or None

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Record the entries in one transaction.

        Raises:
            RetryableExportError: the disk did not take them; nothing of them is recorded.
            RefusedError: some entries cannot be read; all others are recorded.
        """
        if not entries:
            return
        recorded, unreadable = await asyncio.to_thread(self._record, entries)
        self._take_back(recorded.reversals, entries[-1].position)
        self._count(recorded)
        if unreadable:
            raise RefusedError(unreadable)

    def _take_back(self, reversals: Sequence[Reversal], position: int) -> None:
        for reversal in reversals:
            for tally in self._tallies:
                tally.add_reversed(reversal)
        if reversals and self._tell is not None:
            self._tell(self._cursor, position, reversals, at_start=False)

    def _open(self) -> Ledger:
        if self._estimator is None:
            self._estimator = Estimator(FactorTables.bundled(), settings_from_environment(os.environ))
        if self._reader is None:
            self._reader = SpanReader.bundled()
        return Ledger.open(self.path, estimator=self._estimator)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            raise RetryableExportError(f"{self._id} is not started")
        return self._ledger

    def _record(self, entries: Sequence[JournalEntry]) -> tuple[Recorded, Sequence[Undelivered]]:
        ledger = self._opened()
        seen: list[Enriched] = []
        unreadable: list[Undelivered] = []
        for entry in entries:
            try:
                seen += self._enriched(entry)
            except InvalidDataError as error:
                unreadable.append(Undelivered(entry, f"the request cannot be read: {error}"))
        cursor = (self._cursor, entries[-1].position)
        try:
            recorded = ledger.record(
                [each.sighting for each in seen], outcomes=[each.outcome for each in seen], cursor=cursor
            )
        except StorageError as error:
            raise RetryableExportError(str(error)) from error
        return recorded, unreadable

    def _enriched(self, entry: JournalEntry) -> Sequence[Enriched]:
        """Return the GenAI-related spans as the carbon processor left them, or read them again."""
        if entry.payload.enriched is not None:
            return entry.payload.enriched
        assert self._reader is not None
        tenant = entry.payload.tenant
        return [Enriched(sent_by(tenant, sighting), None) for sighting in sightings(entry.payload.body, self._reader)]

    def _count(self, recorded: Recorded) -> None:
        if self._telemetry is None:
            return
        outcomes: dict[str, Any] = {
            "counted": recorded.counted,
            "duplicate": recorded.duplicates,
            "failed": recorded.failed,
            "parent": recorded.parents,
            "replayed": recorded.replayed,
            "conflict": recorded.conflicts,
        }
        for outcome, spans in outcomes.items():
            if spans:
                self._telemetry.count("ledger_spans", spans, exporter=self._id, outcome=outcome)


FACTORY = Factory(
    type="ledger",
    kind=Kind.EXPORTER,
    stability=Stability.BETA,
    signals=frozenset({Signal.TRACES}),
    config=Config,
    create=LedgerExporter,
)
