"""The journal: an append is on disk when it is acknowledged, readers follow, rows go when all of them have them."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path

from otel_carbon.errors import StorageError, UnavailableError
from otel_carbon.journal.cursors import Cursors, start_position
from otel_carbon.journal.store import Row, Store, row
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
_MAX_WAITING_BYTES = 256 << 20
_REFUSE_AFTER_FAILURE_S = 1.0
_RETRY_AFTER_S = 5.0


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
        self._store = Store(path, fsync=settings.fsync)
        self._store.shrink()
        self._reader = Store(path)
        self.id = self._store.journal_id()
        self._head, self._live_bytes = self._store.head(), self._store.live_bytes()
        self._waiting_bytes = 0
        self._tail = Tail(self._head, _TAIL_BYTES)
        self._cursors = Cursors((), {}, {})
        self._failure: str | None = None
        self._refuse_until_s = 0.0
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
        return self._live_bytes

    @property
    def max_bytes(self) -> int:
        """Return the size at which payloads are refused."""
        return self._settings.max_bytes

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
        head = max([self._head, *(spec.resume or 0 for spec in specs)])
        positions = {spec.name: start_position(spec, stored, self._head) for spec in specs}
        dropped = [
            Dropped(name, self._store.backlog(position, pipelines).payloads)
            for name, (position, pipelines) in stored.items()
            if name not in positions
        ]
        self._store.set_cursors({spec.name: (positions[spec.name], spec.pipelines) for spec in specs})
        with self._lock:
            self._cursors = Cursors(specs, positions, self._store.last_positions())
            self._live_bytes = self._store.live_bytes()
            self._head = head
            self._tail.restart(head)
        self._writer.wake()
        return dropped

    def has_room(self, more_bytes: int = 0) -> bool:
        """Return whether a payload of this size would be taken now."""
        return self._refusal(more_bytes) is None and time.monotonic() >= self._refuse_until_s

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
            refusal = self._refusal(size)
            if refusal:
                raise UnavailableError(refusal, _RETRY_AFTER_S)
            self._waiting_bytes += size
            self._writer.put(append)
        return append.done

    def recent(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry] | None:
        """Return what follows the cursor, in order and without touching the disk; None when it is only there."""
        with self._lock:
            if not self._cursors.has_unread(cursor):
                return []
            return self._tail.after(self._cursors.position(cursor), self._cursors.pipelines(cursor), limits)

    def read(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry]:
        """Return what follows the cursor, in order; nothing moves until `advance`.

        Raises:
            StorageError: the file cannot be read.
        """
        found = self.recent(cursor, limits)
        if found is not None:
            return found
        with self._reading:
            return self._reader.read(self._cursors.position(cursor), self._cursors.pipelines(cursor), limits)

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

    def _refusal(self, more_bytes: int) -> str | None:
        if self._closed:
            return "the journal is closed"
        if self._live_bytes + self._waiting_bytes + more_bytes > self._settings.max_bytes:
            return f"the journal is full ({self._live_bytes} of {self._settings.max_bytes} bytes wait to be delivered)"
        if self._waiting_bytes + more_bytes > _MAX_WAITING_BYTES:
            return "the disk is slower than what arrives"
        return None

    def _commit(self, batch: list[Append]) -> bool:
        with self._committing:
            return self._commit_alone(batch)

    def _commit_alone(self, batch: list[Append]) -> bool:
        with self._lock:
            moved, floors, first = self._cursors.take_moved(), self._cursors.floors(), self._head + 1
        now = time.time_ns()
        rows = [row(position, now, append.pipeline_id, append.payload) for position, append in enumerate(batch, first)]
        try:
            if self._failure is not None:
                self._store.probe()
            freed = self._store.commit(rows, moved, floors) if rows or moved or floors else 0
        except sqlite3.Error as error:
            self._failed(batch, list(moved), error)
            return False
        with self._lock:
            self._failure = None
            self._cursors.deleted(floors)
            self._account(rows, batch, freed)
        for position, append in enumerate(batch, first):
            append.done.set_result(position)
        for listener in self._listeners if rows else ():
            listener()
        return True

    def _account(self, rows: list[Row], batch: list[Append], freed: int) -> None:
        self._live_bytes -= freed
        for (position, pipeline, _, received, _, size, *_), append in zip(rows, batch, strict=True):
            self._live_bytes += size
            self._waiting_bytes -= size
            self._tail.append(pipeline, JournalEntry(position, received, append.payload))
            self._cursors.appended(pipeline, position)
            self._head = position

    def _failed(self, batch: list[Append], moved: list[str], error: sqlite3.Error) -> None:
        if self._failure is None:
            _LOG.error("journal %s cannot be written: %s; data is refused until it can", self._path, error)
        with self._lock:
            self._failure = str(error)
            self._refuse_until_s = time.monotonic() + _REFUSE_AFTER_FAILURE_S
            self._cursors.put_back(moved)
            self._waiting_bytes -= sum(len(append.payload.body) for append in batch)
        self._reopen()
        for append in batch:
            append.done.set_exception(UnavailableError(f"the journal cannot be written: {error}", _RETRY_AFTER_S))

    def _reopen(self) -> None:
        """Start from what is really on disk: a commit that failed at its last step may be there all the same."""
        try:
            store = Store(self._path, fsync=self._settings.fsync)
            head, live_bytes, newest = store.head(), store.live_bytes(), store.last_positions()
        except StorageError:
            return
        self._store.close()
        self._store = store
        with self._lock:
            if head > self._head:
                self._head = head
                self._tail.restart(head)
            self._live_bytes = live_bytes
            for pipeline, position in newest.items():
                if self._cursors.is_read(pipeline):
                    self._cursors.appended(pipeline, position)
