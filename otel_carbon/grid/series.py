"""Readings in memory: by place, ordered by time, looked up without a lock."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from otel_carbon.model import GridReading

__all__ = ["SeriesStore"]


class SeriesStore:
    """Readings of many places. Bounded: the newest of each place stay. Safe for use by several threads.

    A place that comes when there are too many is not taken.
    """

    def __init__(self, most_per_place: int = 4096, most_places: int = 1024) -> None:
        self._most_per_place = most_per_place
        self._most_places = most_places
        self.renew_lock()
        # A pair is replaced as a whole, so that a reader never sees starts and readings that do not match.
        self._series: dict[str, tuple[list[int], list[GridReading]]] = {}

    def find(self, place: str, at_unix_nano: int, max_gap_ns: int = 0) -> GridReading | None:
        """Return the reading that covers a time, or the last one before it that ended at most `max_gap_ns` ago."""
        series = self._series.get(place)
        if series is None:
            return None
        index = bisect_right(series[0], at_unix_nano) - 1
        if index < 0:
            return None
        reading = series[1][index]
        return reading if at_unix_nano < reading.end_unix_nano + max_gap_ns else None

    def put(self, place: str, readings: Iterable[GridReading]) -> None:
        """Add readings of a place; one with the same start is replaced."""
        with self._writing:
            known = self._series.get(place)
            if known is None and len(self._series) >= self._most_places:
                return
            by_start = {reading.start_unix_nano: reading for reading in known[1]} if known else {}
            by_start |= {reading.start_unix_nano: reading for reading in readings}
            starts = sorted(by_start)[-self._most_per_place :]
            if starts:
                self._series[place] = (starts, [by_start[start] for start in starts])

    def renew_lock(self) -> None:
        """Take a new lock: in a forked process nobody may be there to release the old one."""
        self._writing = threading.Lock()

    def __iter__(self) -> Iterator[tuple[str, GridReading]]:
        """Return every place with each of its readings, oldest first."""
        for place, (_, readings) in list(self._series.items()):
            for reading in readings:
                yield place, reading
