"""One exporter and one signal: read after the cursor, deliver, advance. A destination that is down waits alone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from otel_carbon.errors import LedgerError, PermanentExportError, RetryableExportError, StorageError, UnavailableError
from otel_carbon.gateway.delivery_record import DeliveryRecord, DeliveryState
from otel_carbon.gateway.graph import ExporterRoute
from otel_carbon.journal import Backlog, Journal, ReadLimits
from otel_carbon.journal.dead_letters import DeadLetters
from otel_carbon.pipeline.component import Exporter, JournalEntry, Telemetry
from otel_carbon.pipeline.retry import Backoff, RetryConfig
from otel_carbon.pipeline.undelivered import Undelivered, undelivered_of

__all__ = ["Delivery", "DeliveryState"]

_READ_AGAIN_S = 30.0
_KEEP_AGAIN_S = 5.0
_LOOKS_PER_WAIT = 8  # at what has arrived meanwhile, while a batch waits for more
# What nobody foresaw is set aside in the end, and does not hold everything behind it up until the journal is full.
_UNFORESEEN = RetryConfig(max_elapsed_time="300s")


class Delivery:
    """The loop of one cursor.

    Beside `export`, an exporter may have: `retry`, how it is tried again; `read_limits`, how much it wants at once;
    `wait_s(entries, now_unix_nano)`, how long they should wait for more; and `queue_limit`, what may wait for it.
    """

    def __init__(
        self,
        route: ExporterRoute,
        exporter: Exporter,
        journal: Journal,
        telemetry: Telemetry,
        dead_letters: DeadLetters,
    ) -> None:
        self.route = route
        self.state = DeliveryState()
        self._exporter = exporter
        self._journal = journal
        self._dead_letters = dead_letters
        self._record = DeliveryRecord(route, self.state, telemetry)
        self._retry: RetryConfig = getattr(exporter, "retry", RetryConfig())
        self._limits: ReadLimits = getattr(exporter, "read_limits", ReadLimits())
        self._queue_limit: Backlog | None = getattr(exporter, "queue_limit", None)
        self._more = asyncio.Event()
        self._ending = asyncio.Event()
        self._drains = False

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
                if await self._waited(entries):
                    continue
                passed = await self._deliver(entries)
                if passed is None:
                    return
                self._journal.advance(self.route.cursor, passed)
            if self._ending.is_set() and not (entries and self._drains):
                return
            if not entries:
                await self._more.wait()

    async def _read(self) -> list[JournalEntry]:
        recent = self._journal.recent(self.route.cursor, self._limits)
        if recent is not None:
            return recent
        try:
            return await asyncio.to_thread(self._journal.read, self.route.cursor, self._limits)
        except StorageError as error:
            self._note_failure(error)
            await self._pause(_READ_AGAIN_S)
            return []

    async def _waited(self, entries: Sequence[JournalEntry]) -> bool:
        """Wait, where a batch wants more than this, and return whether it is time to look again."""
        ask = getattr(self._exporter, "wait_s", None)
        wait_s: float = 0.0 if ask is None or self._ending.is_set() else ask(entries, time.time_ns())
        if wait_s <= 0.0:
            return False
        await self._pause(max(wait_s / _LOOKS_PER_WAIT, min(wait_s, 0.01)))
        return True

    async def _deliver(self, entries: Sequence[JournalEntry]) -> int | None:
        """Return the position that the cursor may move to; None only when it is to end."""
        began_s = time.monotonic()
        backoff, unforeseen = Backoff(self._retry, random.random), Backoff(_UNFORESEEN, random.random)
        while True:
            error = await self._attempt(entries)
            if error is None:
                return entries[-1].position
            if isinstance(error, PermanentExportError):
                return await self._set_aside(entries, error)
            if isinstance(error, LedgerError):
                return await self._one_by_one(entries, error)
            self._note_failure(error)
            foreseen = isinstance(error, RetryableExportError | StorageError | UnavailableError)
            waits = backoff if foreseen else unforeseen
            wait_s = waits.next_wait_s(time.monotonic() - began_s, getattr(error, "retry_after_s", None))
            if wait_s is None:
                return await (self._set_aside(entries, error) if foreseen else self._one_by_one(entries, error))
            if excess := await self._excess(entries):
                return await self._set_aside(excess, error)
            if self._ending.is_set():
                return None
            await self._pause(wait_s)

    async def _attempt(self, entries: Sequence[JournalEntry]) -> Exception | None:
        """Return why the entries are not delivered; None when they are."""
        self.state.in_flight += 1
        try:
            await self._exporter.export(entries)
        except Exception as error:  # noqa: BLE001  a fault in one exporter must not stop the delivery
            return error
        finally:
            self.state.in_flight -= 1
        self._record.success(entries)
        return None

    async def _one_by_one(self, entries: Sequence[JournalEntry], error: Exception) -> int | None:
        """Pass the entries; the fault may lie in a single one of them, and must not take the others along."""
        if len(entries) == 1:
            return await self._set_aside(entries, error)
        for entry in entries:
            again = await self._attempt([entry])
            if again is not None and await self._set_aside([entry], again) is None:
                return None
        return entries[-1].position

    async def _excess(self, entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
        """Return the oldest entries, as many as wait beyond the limit."""
        if self._queue_limit is None:
            return ()
        waiting = await asyncio.to_thread(self._journal.backlog, self.route.cursor)
        return _beyond(entries, waiting, self._queue_limit)

    async def _set_aside(self, entries: Sequence[JournalEntry], error: Exception) -> int | None:
        """Keep what is left of the entries; return the position of the last one, None when it is to end."""
        last = entries[-1].position
        left = [one for one in undelivered_of(error, entries) if one.entry.position <= last]
        while not await self._keep(left):
            if self._ending.is_set():
                return None
            await self._pause(_KEEP_AGAIN_S)
        self._record.loss(entries, left, error)
        return last

    async def _keep(self, left: Sequence[Undelivered]) -> bool:
        try:
            kept = await asyncio.to_thread(self._dead_letters.keep, self.route.exporter_id, left, time.time_ns())
        except StorageError as error:
            self._note_failure(error)
            return False
        self._record.dropped(kept)
        return True

    async def _pause(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), wait_s)
        except TimeoutError:
            return

    def _note_failure(self, error: Exception) -> None:
        self._record.failure(error, self._journal.head - self._journal.position(self.route.cursor))


def _beyond(entries: Sequence[JournalEntry], waiting: Backlog, limit: Backlog) -> Sequence[JournalEntry]:
    payloads, items, size = waiting.payloads, waiting.items, waiting.bytes
    for number, entry in enumerate(entries):
        if payloads <= limit.payloads and items <= limit.items and size <= limit.bytes:
            return entries[:number]
        payloads, items, size = payloads - 1, items - entry.payload.items, size - len(entry.payload.body)
    return entries
