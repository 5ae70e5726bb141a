"""The newest entries, in memory, so that a reader that keeps up never reads them back from disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import islice

from otel_carbon.journal.values import ReadLimits
from otel_carbon.pipeline.component import JournalEntry

__all__ = ["Tail"]

_ENRICHED_BYTES = 2048  # of one span: its ids, call, usage and footprint as objects


class Tail:
    """Every entry after `start`, in order and without a gap, up to a number of bytes. Not thread-safe.

    Entries here still have `Payload.enriched`, which is never on disk: who keeps up need not read the spans again.
    """

    def __init__(self, start: int, max_bytes: int) -> None:
        self._start = start
        self._max_bytes = max_bytes
        self._entries: deque[tuple[str, JournalEntry]] = deque()
        self._bytes = 0

    def append(self, pipeline_id: str, entry: JournalEntry) -> None:
        """Add the entry whose position follows the last one, and forget the oldest beyond the limit."""
        self._entries.append((pipeline_id, entry))
        self._bytes += _size(entry)
        while self._bytes > self._max_bytes:
            self._forget_oldest()

    def forget_through(self, position: int) -> None:
        """Forget the entries that every reader has."""
        while self._start < position and self._entries:
            self._forget_oldest()

    def restart(self, start: int) -> None:
        """Forget everything; the next entry follows `start`."""
        self._entries.clear()
        self._bytes = 0
        self._start = start

    def after(self, position: int, pipelines: Collection[str], limits: ReadLimits) -> list[JournalEntry] | None:
        """Return what follows `position` in these pipelines; None when that is only on disk."""
        if position < self._start:
            return None
        found: list[JournalEntry] = []
        size = 0
        for pipeline_id, entry in islice(self._entries, position - self._start, None):
            if pipeline_id not in pipelines:
                continue
            size += len(entry.payload.body)
            if found and (size > limits.max_bytes or len(found) == limits.max_entries):
                break
            found.append(entry)
        return found

    def _forget_oldest(self) -> None:
        _, entry = self._entries.popleft()
        self._start = entry.position
        self._bytes -= _size(entry)


def _size(entry: JournalEntry) -> int:
    return len(entry.payload.body) + _ENRICHED_BYTES * len(entry.payload.enriched or ())
