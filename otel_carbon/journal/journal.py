"""The journal: an append is on disk when it is acknowledged, readers follow, rows go when all of them have them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path

from otel_carbon.errors import DamagedError, UnavailableError
from otel_carbon.journal.committer import Committer
from otel_carbon.journal.damage import Damage
from otel_carbon.journal.files import Files
from otel_carbon.journal.registration import registered
from otel_carbon.journal.state import State
from otel_carbon.journal.store import Found
from otel_carbon.journal.values import RETRY_AFTER_S, Backlog, CursorSpec, Dropped, JournalSettings, ReadLimits
from otel_carbon.journal.writer import Append
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload

__all__ = ["Journal"]

_DEFAULTS = JournalSettings()
_LIMITS = ReadLimits()
_REPAIR_TIMEOUT_S = 600.0


class Journal:
    """An open journal. Every method may be called from any thread.

    Call `register` before the first `append`: a payload that no cursor reads is not written.

    Raises:
        StorageError: the file is damaged, foreign, newer, or cannot be opened; the message names the fix.
    """

    def __init__(self, path: Path, settings: JournalSettings = _DEFAULTS) -> None:
        self._settings = settings
        self._files = Files(path, fsync=settings.fsync)
        self.id = self._files.writer.journal_id()
        self._state = State(path.parent, settings, self._files.writer)
        self._committer = Committer(path, self._files, self._state)

    @property
    def damage(self) -> Damage:
        """Return what was found damaged since the journal was opened."""
        return self._files.damage

    @property
    def head(self) -> int:
        """Return the newest position that is on disk."""
        return self._state.head

    @property
    def live_bytes(self) -> int:
        """Return the size of the payloads that somebody still has to get."""
        return self._state.room.live_bytes

    @property
    def max_bytes(self) -> int:
        """Return the size at which payloads are refused."""
        return self._settings.max_bytes

    @property
    def oldest_s(self) -> float:
        """Return for how long the oldest payload has waited, in time that the gateway ran."""
        return self._state.room.oldest_s()

    @property
    def failure(self) -> str | None:
        """Return why the last write failed; None after one that did not."""
        return self._state.failure

    def register(self, specs: Collection[CursorSpec]) -> list[Dropped]:
        """Say who reads, and return the cursors of readers that are gone.

        It may be called again, while nobody appends or reads: readers that are still named go on from where they are.

        Raises:
            StorageError: the file cannot be read or written.
        """
        with self._committer.settled() as store:
            found = registered(store, specs, self._state.head)
            self._state.register(store, specs, found.positions, found.head)
        self._committer.writer.wake()
        return found.dropped

    def refusal(self, more_bytes: int = 0) -> str | None:
        """Return why a payload of this size would not be taken now; None when it would."""
        if self._state.closed:
            return "the journal is closed"
        if self._state.failure is not None:
            return f"the journal cannot be written: {self._state.failure}"
        return self._state.room.refusal(more_bytes)

    def append(self, pipeline_id: str, payload: Payload) -> Future[int]:
        """Write a payload; the future gets its position once it is on disk.

        Raises:
            UnavailableError: there is no room; from the future: the disk did not take it.
        """
        append = Append(pipeline_id, payload)
        append.done.set_running_or_notify_cancel()  # what was handed over is written, whoever still waits for it
        state, size = self._state, len(payload.body)
        with state.lock:
            if not state.cursors.is_read(pipeline_id) and not state.closed:
                append.done.set_result(state.head)
                return append.done
            refusal = "the journal is closed" if state.closed else state.room.refusal(size)
            if refusal:
                raise UnavailableError(refusal, RETRY_AFTER_S)
            state.room.waiting_bytes += size
            self._committer.writer.put(append)
        return append.done

    def recent(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry] | None:
        """Return what follows the cursor, in order and without touching the disk; None when it is only there."""
        with self._state.lock:
            cursors = self._state.cursors
            if not cursors.has_unread(cursor):
                return []
            return self._state.tail.after(cursors.position(cursor), cursors.pipelines(cursor), limits)

    def read(self, cursor: str, limits: ReadLimits = _LIMITS) -> list[JournalEntry]:
        """Return what follows the cursor, in order; nothing moves until `advance`, except past what is damaged.

        Raises:
            StorageError: the file cannot be read.
        """
        while (found := self.recent(cursor, limits)) is None:
            end = self._state.head
            stored = self._stored(cursor, limits)
            self.damage.skip(stored.damaged)
            if stored.entries:
                return stored.entries
            self.advance(cursor, stored.damaged[-1].position if stored.damaged else end)
        return found

    def advance(self, cursor: str, position: int) -> None:
        """Say that the reader of a cursor has everything through `position`."""
        state = self._state
        with state.lock:
            if state.cursors.advance(cursor, position):
                self._committer.writer.wake()
            state.tail.forget_through(state.cursors.everybody_has(state.head))

    def has_unread(self, cursor: str) -> bool:
        """Return whether a cursor has anything left to deliver."""
        return self._state.cursors.has_unread(cursor)

    def position(self, cursor: str) -> int:
        """Return the last position that the reader of a cursor has."""
        return self._state.cursors.position(cursor)

    def backlog(self, cursor: str) -> Backlog:
        """Return what a cursor still has to deliver."""
        cursors = self._state.cursors
        return self._files.backlog(cursors.position(cursor), cursors.pipelines(cursor))

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from the writer's thread, whenever there are new entries."""
        self._committer.on_commit(listener)

    def close(self) -> None:
        """Write what is waiting and close the file. Safe to call twice."""
        with self._state.lock:
            was_closed, self._state.closed = self._state.closed, True
        if was_closed:
            return
        self._committer.writer.stop()
        self._files.close()

    def _stored(self, cursor: str, limits: ReadLimits) -> Found:
        """Read from disk; where the file is found damaged, after it has been repaired."""
        cursors = self._state.cursors
        try:
            return self._files.read(cursors.position(cursor), cursors.pipelines(cursor), limits)
        except DamagedError as error:
            try:
                self._committer.repaired().result(_REPAIR_TIMEOUT_S)
            except TimeoutError:
                raise error from None
        return self._files.read(cursors.position(cursor), cursors.pipelines(cursor), limits)
