"""What a journal knows without its file: who has read how far, the newest entries, and what there is room for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from otel_carbon.journal.cursors import Cursors
from otel_carbon.journal.format import Row
from otel_carbon.journal.room import Room, RunningClock
from otel_carbon.journal.store import Store
from otel_carbon.journal.tail import Tail
from otel_carbon.journal.values import CursorSpec, JournalSettings
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload

__all__ = ["State"]

_TAIL_BYTES = 32 << 20


class State:
    """Hold `lock` to change anything in it. `register` and `resume` take it themselves.

    Raises:
        StorageError: the file cannot be read.
    """

    def __init__(self, folder: Path, settings: JournalSettings, store: Store) -> None:
        self.lock = threading.Lock()
        self.head = store.head()
        self.clock = RunningClock(store.running_ms())
        self.room = Room(settings, self.clock, folder)
        self.tail = Tail(self.head, _TAIL_BYTES)
        self.cursors = Cursors((), {}, {})
        self.failure: str | None = None
        self.closed = False
        self._measure(store)

    def register(self, store: Store, specs: Iterable[CursorSpec], positions: Mapping[str, int], head: int) -> None:
        """Take other cursors, and number on from `head`."""
        with self.lock:
            self.cursors = Cursors(specs, positions, store.last_positions())
            self._measure(store)
            self.head = head
            self.tail.restart(head)

    def resume(self, store: Store) -> None:
        """Start again from what is really on disk: a commit that failed at its last step may be there all the same."""
        head, newest = store.head(), store.last_positions()
        with self.lock:
            if head > self.head:
                self.head = head
                self.tail.restart(head)
            self._measure(store)
            for pipeline, position in newest.items():
                if self.cursors.is_read(pipeline):
                    self.cursors.appended(pipeline, position)

    def appended(self, row: Row, payload: Payload) -> None:
        """Note a payload that was waiting and is on disk now."""
        self.room.live_bytes += row.body_bytes
        self.room.waiting_bytes -= row.body_bytes
        self.tail.append(row.pipeline, JournalEntry(row.position, row.received_unix_nano, payload))
        self.cursors.appended(row.pipeline, row.position)
        self.head = row.position

    def _measure(self, store: Store) -> None:
        self.room.live_bytes, self.room.oldest_ms = store.live_bytes(), store.oldest_running_ms()
        self.room.spare_bytes = store.spare_bytes()
