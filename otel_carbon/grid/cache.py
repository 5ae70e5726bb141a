"""Readings on disk, so that a restart, or a time without network, does not begin with nothing.

One JSON file per source, replaced as a whole: a process that is killed leaves the old one or the new one. Processes
that share a file keep each other's readings. What cannot be read is logged and counts as no reading.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from otel_carbon.model import GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["ReadingCache"]

_log = logging.getLogger(__name__)

_SCHEMA = 1
_MOST_READINGS = 50_000
_MOST_CHARACTERS = 64 << 20
_LEFT_BEHIND_S = 3600.0

_Key = tuple[str, int]


class ReadingCache:
    """The file of one source. Never raises for what is on the disk or in its way.

    `keep_s`: readings that began longer before the newest one are dropped.
    """

    def __init__(self, path: Path, source_id: str, keep_s: int = 40 * 86_400) -> None:
        self._path = path
        self._source_id = source_id
        self._keep_ns = keep_s * NANOSECONDS_PER_SECOND
        self._warned: set[str] = set()

    def load(self) -> list[tuple[str, GridReading]]:
        """Return every place with its readings."""
        try:
            with self._path.open(encoding="utf-8") as file:
                document = json.loads(file.read(_MOST_CHARACTERS))
            if document["schema"] == _SCHEMA and document["source"] == self._source_id:
                return [(place, self._reading(row)) for place, rows in document["places"].items() for row in rows]
            error: Exception = ValueError("it is of another source or version")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as caught:
            error = caught
        self._warn("read", error)
        return []

    def save(self, readings: Iterable[tuple[str, GridReading]]) -> None:
        """Add readings to the file."""
        known: dict[_Key, tuple[str, GridReading]] = {}
        for place, reading in (*self.load(), *readings):
            key = (place, reading.start_unix_nano)
            if key not in known or known[key][1].fetched_unix_nano <= reading.fetched_unix_nano:
                known[key] = (place, reading)
        newest_first = sorted(known.values(), key=lambda each: -each[1].start_unix_nano)[:_MOST_READINGS]
        places: dict[str, list[list[Any]]] = {}
        for place, reading in newest_first:
            if reading.start_unix_nano > newest_first[0][1].start_unix_nano - self._keep_ns:
                places.setdefault(place, []).append(_row(reading))
        try:
            self._replace(json.dumps({"schema": _SCHEMA, "source": self._source_id, "places": places}))
        except OSError as error:
            self._warn("written", error)

    def _replace(self, text: str) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            self._sweep()
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _sweep(self) -> None:
        """Remove what processes left that were killed while they wrote."""
        for left in self._path.parent.glob(f"{self._path.name}.*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND_S:
                    left.unlink()

    def _reading(self, row: list[Any]) -> GridReading:
        zone, g_per_kwh, start_unix_s, end_unix_s, is_estimated, fetched_unix_s = row
        return GridReading(
            zone=str(zone),
            g_per_kwh=float(g_per_kwh),
            start_unix_nano=int(start_unix_s) * NANOSECONDS_PER_SECOND,
            end_unix_nano=int(end_unix_s) * NANOSECONDS_PER_SECOND,
            source_id=self._source_id,
            is_estimated=bool(is_estimated),
            fetched_unix_nano=int(fetched_unix_s) * NANOSECONDS_PER_SECOND,
        )

    def _warn(self, verb: str, error: Exception) -> None:
        level = logging.DEBUG if verb in self._warned else logging.WARNING
        self._warned.add(verb)
        _log.log(level, "the cache of grid intensities %s cannot be %s: %s", self._path, verb, error)


def _row(reading: GridReading) -> list[Any]:
    return [
        reading.zone,
        reading.g_per_kwh,
        reading.start_unix_nano // NANOSECONDS_PER_SECOND,
        reading.end_unix_nano // NANOSECONDS_PER_SECOND,
        int(reading.is_estimated),
        reading.fetched_unix_nano // NANOSECONDS_PER_SECOND,
    ]
