"""The journal: an append is on disk when it is acknowledged, readers follow, rows go when all of them have them."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path

from otel_carbon.errors import DamagedError, StorageError, UnavailableError
from otel_carbon.journal.cursors import Cursors, start_position
from otel_carbon.journal.damage import Damage
from otel_carbon.journal.format import Row, row, storage_error
from otel_carbon.journal.room import Room, RunningClock
from otel_carbon.journal.salvage import SALVAGED
from otel_carbon.journal.store import Found, Freed, Store
from otel_carbon.journal.tail import Tail
from otel_carbon.journal.values import Backlog, CursorSpec, Dropped, JournalSettings, ReadLimits
from otel_carbon.journal.writer import Append, Writer
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload

__all__ = ["Journal"]

_LOG = logging.getLogger(__name__)
_DEFAULTS = JournalSettings()
_LIMITS = ReadLimits()
_TAIL_BYTES = 64 << 20
_RETRY_AFTER_S = 5.0
_REPAIR_TIMEOUT_S = 600.0


class Journal:
    """An open journal. Every method may be called from any thread.

    Call `register` before the first `append`: a payload that no cursor reads is not written.

    Raises:
        StorageError: the file is damaged, foreign, newer, or cannot be opened; the message names the fix.
    """

    def __init__(self, path: Path, settings: JournalSettings = _DEFAULTS) -> None:
        self._path = path
        self._settings = settings
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._committing = threading.RLock()
        self.damage = Damage(path, fsync=settings.fsync)
        self._store = self.damage.open()
        self._store.shrink()
        self._reader = Store(path)
        self.id = self._store.journal_id()
        self._head = self._store.head()
        self._clock = RunningClock(self._store.running_ms())
        self._room = Room(settings, self._clock, path.parent)
        self._measure(self._store)
        self._tail = Tail(self._head, _TAIL_BYTES)
        self._cursors = Cursors((), {}, {})
        self._failure: str | None = None
        self._repairs: list[Future[None]] = []
        self._listeners: list[Callable[[], None]] = []
        self._closed = False
        self._writer = Writer(self._commit)

    @property
    def head(self) -> int:
        """Return the newest position that is on disk."""
        return self._head

    @property
    def live_bytes(self) -> int:
        """Return the size of the payloads that somebody still has to get."""
        return self._room.live_bytes

    @property
    def max_bytes(self) -> int:
        """Return the size at which payloads are refused."""
        return self._settings.max_bytes

    @property
    def oldest_s(self) -> float:
        """Return for how long the oldest payload has waited, in time that the gateway ran."""
        return self._room.oldest_s()

    @property
    def failure(self) -> str | None:
        """Return why the last write failed; None after one that did not."""
        return self._failure

    def register(self, specs: Collection[CursorSpec]) -> list[Dropped]:
        """Say who reads, and return the cursors of readers that are gone.

        A new cursor starts at the end: what others hold arrived before it. One that keeps its own position resumes
        there; where that is ahead of this file (an older copy was put back), numbering goes on from it.

        It may be called again, while nobody appends or reads: readers that are still named go on from where they are.

        Raises:
            StorageError: the file cannot be read or written.
        """
        with self._committing:
            if not self._commit([]):
                raise StorageError(
                    f"journal {self._path} cannot be written: {self._failure}; check that the disk has room"
                )
            return self._register(specs)

    def _register(self, specs: Collection[CursorSpec]) -> list[Dropped]:
        stored = self._store.cursors()
        salvaged = stored.pop(SALVAGED, None)
        head = max([self._head, *(spec.resume or 0 for spec in specs)])
        # Of a damaged file, a cursor may be gone that stood before what was saved: rather twice than never.
        end = self._head if salvaged is None else 0
        positions = {spec.name: start_position(spec, stored, end) for spec in specs}
        dropped = [
            Dropped(name, self._store.backlog(position, pipelines).payloads)
            for name, (position, pipelines) in stored.items()
            if name not in positions
        ]
        self._store.set_cursors({spec.name: (positions[spec.name], spec.pipelines) for spec in specs})
        with self._lock:
            self._cursors = Cursors(specs, positions, self._store.last_positions())
            self._measure(self._store)
            self._head = head
            self._tail.restart(head)
        self._writer.wake()
        return dropped

    def refusal(self, more_bytes: int = 0) -> str | None:
        """Return why a payload of this size would not be taken now; None when it would."""
        if self._closed:
            return "the journal is closed"
        if self._failure is not None:
            return f"the journal cannot be written: {self._failure}"
        return self._room.refusal(more_bytes)

    def append(self, pipeline_id: str, payload: Payload) -> Future[int]:
        """Write a payload; the future gets its position once it is on disk.

        Raises:
            UnavailableError: there is no room; from the future: the disk did not take it.
        """
        append = Append(pipeline_id, payload)
        append.done.set_running_or_notify_cancel()  # what was handed over is written, whoever still waits for it
        size = len(payload.body)
        with self._lock:
            if not self._cursors.is_read(pipeline_id) and not self._closed:
                append.done.set_result(self._head)
                return append.done
            refusal = "the journal is closed" if self._closed else self._room.refusal(size)
            if refusal:
                raise UnavailableError(refusal, _RETRY_AFTER_S)
            self._room.waiting_bytes += size
            self._writer.put(append)
        return append.done

    def recent(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry] | None:
        """Return what follows the cursor, in order and without touching the disk; None when it is only there."""
        with self._lock:
            if not self._cursors.has_unread(cursor):
                return []
            return self._tail.after(self._cursors.position(cursor), self._cursors.pipelines(cursor), limits)

    def read(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry]:
        """Return what follows the cursor, in order; nothing moves until `advance`, except past what is damaged.

        Raises:
            StorageError: the file cannot be read.
        """
        while (found := self.recent(cursor, limits)) is None:
            end = self._head
            stored = self._stored(cursor, limits)
            self.damage.skip(stored.damaged)
            if stored.entries:
                return stored.entries
            self.advance(cursor, stored.damaged[-1].position if stored.damaged else end)
        return found

    def advance(self, cursor: str, position: int) -> None:
        """Say that the reader of a cursor has everything through `position`."""
        with self._lock:
            if self._cursors.advance(cursor, position):
                self._writer.wake()
            self._tail.forget_through(self._cursors.everybody_has(self._head))

    def has_unread(self, cursor: str) -> bool:
        """Return whether a cursor has anything left to deliver."""
        return self._cursors.has_unread(cursor)

    def position(self, cursor: str) -> int:
        """Return the last position that the reader of a cursor has."""
        return self._cursors.position(cursor)

    def backlog(self, cursor: str) -> Backlog:
        """Return what a cursor still has to deliver."""
        with self._reading:
            return self._reader.backlog(self._cursors.position(cursor), self._cursors.pipelines(cursor))

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from the writer's thread, whenever there are new entries."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Write what is waiting and close the file. Safe to call twice."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if was_closed:
            return
        self._writer.stop()
        with self._reading:
            self._reader.close()
        self._store.close()

    def _stored(self, cursor: str, limits: ReadLimits) -> Found:
        """Read from disk; where the file is found damaged, after it has been repaired."""
        try:
            with self._reading:
                return self._reader.read(self._cursors.position(cursor), self._cursors.pipelines(cursor), limits)
        except DamagedError as error:
            repaired = Future[None]()
            self._repairs.append(repaired)
            self._writer.wake()
            try:
                repaired.result(_REPAIR_TIMEOUT_S)
            except TimeoutError:
                raise error from None
        with self._reading:
            return self._reader.read(self._cursors.position(cursor), self._cursors.pipelines(cursor), limits)

    def _commit(self, batch: list[Append]) -> bool:
        with self._committing:
            return self._commit_alone(batch)

    def _commit_alone(self, batch: list[Append]) -> bool:
        if self._repairs:
            self._repair()
        with self._lock:
            moved, floors, first = self._cursors.take_moved(), self._cursors.floors(), self._head + 1
        now, age_ms = time.time_ns(), self._clock.now_ms()
        rows = [
            row(position, now, age_ms, append.pipeline_id, append.payload)
            for position, append in enumerate(batch, first)
        ]
        try:
            if self._failure is not None:
                self._store.probe()
            freed = self._store.commit(rows, moved, floors) if rows or moved or floors else Freed(0, {})
            oldest_ms = self._store.oldest_running_ms() if floors else self._room.oldest_ms
            spare_bytes = self._store.spare_bytes()
        except (sqlite3.Error, StorageError) as error:
            self._failed(batch, list(moved), error)
            return False
        with self._lock:
            self._failure = None
            self._cursors.deleted(freed.floors)
            self._room.live_bytes -= freed.bytes
            self._room.spare_bytes = spare_bytes
            self._room.oldest_ms = age_ms if rows and oldest_ms is None else oldest_ms
            self._account(rows, batch)
        if freed.floors != floors:
            self._writer.wake()
        for position, append in enumerate(batch, first):
            append.done.set_result(position)
        for listener in self._listeners if rows else ():
            listener()
        return True

    def _account(self, rows: list[Row], batch: list[Append]) -> None:
        for stored, append in zip(rows, batch, strict=True):
            self._room.live_bytes += stored.body_bytes
            self._room.waiting_bytes -= stored.body_bytes
            entry = JournalEntry(stored.position, stored.received_unix_nano, append.payload)
            self._tail.append(stored.pipeline, entry)
            self._cursors.appended(stored.pipeline, stored.position)
            self._head = stored.position

    def _failed(self, batch: list[Append], moved: Collection[str], error: sqlite3.Error | StorageError) -> None:
        if self._failure is None:
            _LOG.error("journal %s cannot be written: %s; data is refused until it can", self._path, error)
        with self._lock:
            self._failure = str(error)
            self._cursors.put_back(moved)
            self._room.waiting_bytes -= sum(len(append.payload.body) for append in batch)
        if isinstance(storage_error(self._path, error), DamagedError):
            self._repair()
        else:
            self._reopen()
        for append in batch:
            append.done.set_exception(UnavailableError(f"the journal cannot be written: {error}", _RETRY_AFTER_S))

    def _repair(self) -> None:
        """Save what is sound in a file that was found damaged, and go on with it."""
        repaired, self._repairs = self._repairs, []
        with self._reading:
            self._reader.close()
            self._store.close()
            try:
                store = self.damage.open()
                store.set_cursors(self._cursors.all())
                self._reader, self._store = Store(self._path), store
                self._resume(store)
            except StorageError as error:
                _LOG.error("%s", error)
        for each in repaired:
            each.set_result(None)

    def _reopen(self) -> None:
        """Start from what is really on disk: a commit that failed at its last step may be there all the same."""
        try:
            store = Store(self._path, fsync=self._settings.fsync)
            self._resume(store)
        except StorageError:
            return
        self._store.close()
        self._store = store

    def _resume(self, store: Store) -> None:
        head, newest = store.head(), store.last_positions()
        with self._lock:
            if head > self._head:
                self._head = head
                self._tail.restart(head)
            self._measure(store)
            for pipeline, position in newest.items():
                if self._cursors.is_read(pipeline):
                    self._cursors.appended(pipeline, position)

    def _measure(self, store: Store) -> None:
        self._room.live_bytes, self._room.oldest_ms = store.live_bytes(), store.oldest_running_ms()
        self._room.spare_bytes = store.spare_bytes()
