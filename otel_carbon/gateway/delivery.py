"""One exporter and one signal: read after the cursor, deliver, advance. A destination that is down waits alone."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from otel_carbon.errors import LedgerError, PermanentExportError, RetryableExportError, StorageError, UnavailableError
from otel_carbon.gateway.graph import ExporterRoute
from otel_carbon.journal import Journal
from otel_carbon.pipeline.component import Exporter, JournalEntry, Telemetry
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.retry import Backoff, RetryConfig

__all__ = ["Delivery", "DeliveryState"]

_LOG = logging.getLogger(__name__)
_ITEMS = {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
_LOG_EVERY_S = 30.0
# What nobody foresaw may pass, but must not hold everything behind it up until the journal is full.
_UNFORESEEN = RetryConfig(max_elapsed_time="300s")


@dataclass(slots=True)
class DeliveryState:
    """What can be seen of a delivery from outside. `last_error` is None while the destination takes data."""

    in_flight: int = 0
    failing_since_unix_s: float | None = None
    last_error: str | None = None


class Delivery:
    """The loop of one cursor."""

    def __init__(self, route: ExporterRoute, exporter: Exporter, journal: Journal, telemetry: Telemetry) -> None:
        self.route = route
        self.state = DeliveryState()
        self._exporter = exporter
        self._journal = journal
        self._telemetry = telemetry
        self._retry: RetryConfig = getattr(exporter, "retry", RetryConfig())
        self._more = asyncio.Event()
        self._ending = asyncio.Event()
        self._drains = False
        self._logged_s = float("-inf")

    def wake(self) -> None:
        """Say that there may be new entries."""
        self._more.set()

    def drain(self) -> None:
        """Let `run` end when everything is delivered, or when the destination fails once more."""
        self._drains = True
        self.halt()

    def halt(self) -> None:
        """Let `run` end after the delivery that is on its way; the rest is for whoever reads on from the cursor."""
        self._ending.set()
        self._more.set()

    async def run(self) -> None:
        """Deliver what comes, until it is cancelled or drained."""
        while True:
            self._more.clear()
            entries = await self._read()
            if entries:
                if not await self._deliver(entries):
                    return
                self._journal.advance(self.route.cursor, entries[-1].position)
            if self._ending.is_set() and not (entries and self._drains):
                return
            if not entries:
                await self._more.wait()

    async def _read(self) -> list[JournalEntry]:
        recent = self._journal.recent(self.route.cursor)
        if recent is not None:
            return recent
        try:
            return await asyncio.to_thread(self._journal.read, self.route.cursor)
        except StorageError as error:
            self._note_failure(error)
            await self._pause(_LOG_EVERY_S)
            return []

    async def _deliver(self, entries: Sequence[JournalEntry]) -> bool:
        """Return whether the cursor may pass the entries; False only when it is to end."""
        began_s = time.monotonic()
        backoff, unforeseen = Backoff(self._retry, random.random), Backoff(_UNFORESEEN, random.random)
        while True:
            error = await self._attempt(entries)
            if error is None:
                return True
            self._note_failure(error)
            waits = backoff if isinstance(error, RetryableExportError | StorageError | UnavailableError) else unforeseen
            wait_s = waits.next_wait_s(time.monotonic() - began_s, getattr(error, "retry_after_s", None))
            if wait_s is None:
                await self._give_up(entries, error)
                return True
            if self._ending.is_set():
                return False
            await self._pause(wait_s)

    async def _attempt(self, entries: Sequence[JournalEntry]) -> Exception | None:
        """Return why the entries must be tried again; None when the cursor may pass them."""
        self.state.in_flight += 1
        try:
            await self._exporter.export(entries)
        except (PermanentExportError, LedgerError) as error:
            self._note_loss(entries, error)
        except Exception as error:  # noqa: BLE001  a fault in one exporter must not stop the delivery
            return error
        else:
            self._note_success(_items(entries))
        finally:
            self.state.in_flight -= 1
        return None

    async def _give_up(self, entries: Sequence[JournalEntry], error: Exception) -> None:
        """Pass the entries; one by one where the fault may lie in a single one of them."""
        if len(entries) == 1 or isinstance(error, RetryableExportError):
            self._note_loss(entries, error)
            return
        for entry in entries:
            again = await self._attempt([entry])
            if again is not None:
                self._note_loss([entry], again)

    async def _pause(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), wait_s)
        except TimeoutError:
            return

    def _note_success(self, items: int) -> None:
        self._count("sent", items)
        if self.state.last_error is not None:
            _LOG.info("exporter %s: %s are delivered again", self.route.exporter_id, self.route.signal)
        self.state.last_error = self.state.failing_since_unix_s = None
        self._logged_s = float("-inf")

    def _note_loss(self, entries: Sequence[JournalEntry], error: Exception) -> None:
        total = _items(entries)
        failed = getattr(error, "failed_items", None)
        lost = total if failed is None else failed
        if total > lost:
            self._count("sent", total - lost)
        self._count("send_failed", lost)
        self._log("exporter %s: %d items of %s will never be taken: %s", lost, error)

    def _note_failure(self, error: Exception) -> None:
        if self.state.last_error is None:
            self.state.failing_since_unix_s = time.time()
        self.state.last_error = str(error) or type(error).__name__
        backlog = self._journal.head - self._journal.position(self.route.cursor)
        self._log("exporter %s: up to %d payloads of %s wait for it: %s", backlog, error)

    def _log(self, message: str, number: int, error: Exception) -> None:
        if time.monotonic() - self._logged_s < _LOG_EVERY_S:
            return
        self._logged_s = time.monotonic()
        foreseen = isinstance(error, PermanentExportError | RetryableExportError | StorageError | UnavailableError)
        trace = None if foreseen else error
        _LOG.warning(message, self.route.exporter_id, number, self.route.signal, error, exc_info=trace)

    def _count(self, what: str, items: int) -> None:
        self._telemetry.count(f"exporter_{what}_{_ITEMS[self.route.signal]}", items, exporter=self.route.exporter_id)


def _items(entries: Sequence[JournalEntry]) -> int:
    return sum(entry.payload.items for entry in entries)
