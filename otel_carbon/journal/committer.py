"""What becomes of a batch: one transaction, what follows from it in memory, and a way on when the disk refuses."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from otel_carbon.errors import DamagedError, StorageError, UnavailableError
from otel_carbon.journal.files import Files
from otel_carbon.journal.format import Row, row, storage_error
from otel_carbon.journal.state import State
from otel_carbon.journal.store import Floors, Freed, Store
from otel_carbon.journal.values import RETRY_AFTER_S
from otel_carbon.journal.writer import Append, Writer

__all__ = ["Committer"]

_LOG = logging.getLogger(__name__)


class _Due(NamedTuple):
    """What a transaction stores and deletes."""

    rows: list[Row]
    moved: Mapping[str, tuple[int, frozenset[str]]]
    floors: Floors
    age_ms: int


class _Done(NamedTuple):
    """What it came to: what is deleted, how old the journal was when its oldest entry came, and what still fits."""

    freed: Freed
    oldest_ms: int | None
    spare_bytes: int


class Committer:
    """The only one that writes to an open journal. Its `writer` takes payloads and calls it."""

    def __init__(self, path: Path, files: Files, state: State) -> None:
        self._path = path
        self._files = files
        self._state = state
        self._alone = threading.Lock()
        self._repairs: list[Future[None]] = []
        self._listeners: list[Callable[[], None]] = []
        self.writer = Writer(self._commit)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from the writer's thread, whenever there are new entries."""
        self._listeners.append(listener)

    def repaired(self) -> Future[None]:
        """Ask for the file to be repaired, which a reader found damaged; the future tells when that was tried."""
        future = Future[None]()
        self._repairs.append(future)
        self.writer.wake()
        return future

    @contextmanager
    def settled(self) -> Generator[Store]:
        """Store what is due, and let nobody commit until the end of the block.

        Raises:
            StorageError: the disk does not take it.
        """
        with self._alone:
            if not self._commit_alone([]):
                raise StorageError(
                    f"journal {self._path} cannot be written: {self._state.failure}; check that the disk has room"
                )
            yield self._files.writer

    def _commit(self, batch: list[Append]) -> bool:
        with self._alone:
            return self._commit_alone(batch)

    def _commit_alone(self, batch: list[Append]) -> bool:
        if self._repairs:
            self._repair()
        due = self._due(batch)
        try:
            done = self._store(due)
        except (sqlite3.Error, StorageError) as error:
            self._failed(batch, list(due.moved), error)
            return False
        self._note(due, done, batch)
        if done.freed.floors != due.floors:
            self.writer.wake()
        for stored, append in zip(due.rows, batch, strict=True):
            append.done.set_result(stored.position)
        for listener in self._listeners if due.rows else ():
            listener()
        return True

    def _due(self, batch: list[Append]) -> _Due:
        state = self._state
        with state.lock:
            moved, floors, first = state.cursors.take_moved(), state.cursors.floors(), state.head + 1
        now, age_ms = time.time_ns(), state.clock.now_ms()
        rows = [row(at, now, age_ms, append.pipeline_id, append.payload) for at, append in enumerate(batch, first)]
        return _Due(rows, moved, floors, age_ms)

    def _store(self, due: _Due) -> _Done:
        store = self._files.writer
        if self._state.failure is not None:
            store.probe()
        freed = store.commit(due.rows, due.moved, due.floors) if due.rows or due.moved or due.floors else Freed(0, {})
        oldest_ms = store.oldest_running_ms() if due.floors else self._state.room.oldest_ms
        return _Done(freed, due.age_ms if due.rows and oldest_ms is None else oldest_ms, store.spare_bytes())

    def _note(self, due: _Due, done: _Done, batch: list[Append]) -> None:
        state = self._state
        with state.lock:
            state.failure = None
            state.cursors.deleted(done.freed.floors)
            state.room.live_bytes -= done.freed.bytes
            state.room.spare_bytes, state.room.oldest_ms = done.spare_bytes, done.oldest_ms
            for stored, append in zip(due.rows, batch, strict=True):
                state.appended(stored, append.payload)

    def _failed(self, batch: list[Append], moved: Collection[str], error: sqlite3.Error | StorageError) -> None:
        state = self._state
        if state.failure is None:
            _LOG.error("journal %s cannot be written: %s; data is refused until it can", self._path, error)
        with state.lock:
            state.failure = str(error)
            state.cursors.put_back(moved)
            state.room.waiting_bytes -= sum(len(append.payload.body) for append in batch)
        if isinstance(storage_error(self._path, error), DamagedError):
            self._repair()
        else:
            self._reopen()
        for append in batch:
            append.done.set_exception(UnavailableError(f"the journal cannot be written: {error}", RETRY_AFTER_S))

    def _reopen(self) -> None:
        try:
            self._files.reopen(self._state.resume)
        except DamagedError:
            self._repair()

    def _repair(self) -> None:
        asked, self._repairs = self._repairs, []
        self._files.repair(self._state.cursors.all(), self._state.resume)
        for each in asked:
            each.set_result(None)
