"""Intensities from a CSV file: a meter's own series, a published trace, or the answer of an audit.

| column | meaning |
|---|---|
| `zone` | a key of the grid: `IE`, `SE-SE3`, `FRA`, or a cloud region as `aws:eu-west-1` |
| `start` | beginning of the period, ISO 8601 with its offset: `2026-10-25T02:00+01:00`, `2026-10-25T01:00Z` |
| `end` | end of the period, likewise |
| `g_per_kwh` | average life-cycle intensity |
| `estimated` | optional: `true` where the figure is estimated |
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from otel_carbon.errors import ConfigError
from otel_carbon.grid.intensity import significant
from otel_carbon.grid.series import SeriesStore
from otel_carbon.model import GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["CsvTrace"]

_COLUMNS = ("zone", "start", "end", "g_per_kwh")
_BEYOND_ANY_FILE = 10_000_000


class CsvTrace:
    """The grid by the hour, from a file that is read once. `source_id` is `csv:` and the name of the file.

    `places` says which zone of the file stands for a key of the tables.

    Raises:
        ConfigError: the file cannot be read or a row is wrong; the message names the line.
    """

    def __init__(self, path: Path, *, max_gap_s: float = 0.0, places: Mapping[str, str] | None = None) -> None:
        self.source_id = f"csv:{path.stem}"
        self._max_gap_ns = int(max_gap_s * NANOSECONDS_PER_SECOND)
        self._places = dict(places or {})
        self._store = SeriesStore(_BEYOND_ANY_FILE, _BEYOND_ANY_FILE)
        by_zone: dict[str, list[GridReading]] = {}
        for reading in _readings(path, self.source_id):
            by_zone.setdefault(reading.zone, []).append(reading)
        for zone, readings in by_zone.items():
            _refuse_overlaps(path, readings)
            self._store.put(zone, readings)

    def reading(self, grid_keys: tuple[str, ...], at_unix_nano: int) -> GridReading | None:
        """Return the figure of the first of these keys that the file has one for."""
        for key in grid_keys:
            found = self._store.find(self._places.get(key, key), at_unix_nano, self._max_gap_ns)
            if found is not None:
                return found
        return None


def _readings(path: Path, source_id: str) -> Iterator[GridReading]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"{path}, line 1: column {missing[0]!r} is missing; columns are {', '.join(_COLUMNS)}"
                )
            for row in rows:
                yield _reading(f"{path}, line {rows.line_num}", row, source_id)
    except OSError as error:
        raise ConfigError(f"file: {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not CSV in UTF-8: {error}") from error


def _reading(where: str, row: Mapping[str, str | None], source_id: str) -> GridReading:
    zone = (row["zone"] or "").strip()
    estimated = (row.get("estimated") or "").strip().lower()
    if not zone:
        raise ConfigError(f"{where}: zone is empty")
    if estimated not in {"", "true", "false"}:
        raise ConfigError(f"{where}: estimated must be true or false, not {estimated!r}")
    try:
        g_per_kwh = significant(float(row["g_per_kwh"] or ""))
    except ValueError:
        raise ConfigError(f"{where}: g_per_kwh must be a number, not {row['g_per_kwh']!r}") from None
    try:
        return GridReading(
            zone=zone,
            g_per_kwh=g_per_kwh,
            start_unix_nano=_unix_nano(where, "start", row["start"] or ""),
            end_unix_nano=_unix_nano(where, "end", row["end"] or ""),
            source_id=source_id,
            is_estimated=estimated == "true",
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _unix_nano(where: str, column: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        # Local time without an offset has one hour twice and one never.
        raise ConfigError(f"{where}: {column} must be a time with its offset, as 2026-10-25T01:00Z, not {text!r}")
    return int(at.timestamp()) * NANOSECONDS_PER_SECOND


def _refuse_overlaps(path: Path, readings: list[GridReading]) -> None:
    readings.sort(key=lambda reading: reading.start_unix_nano)
    for before, after in pairwise(readings):
        if after.start_unix_nano < before.end_unix_nano:
            start_unix_s = after.start_unix_nano // NANOSECONDS_PER_SECOND
            raise ConfigError(f"{path}: two periods of zone {after.zone} hold the time {start_unix_s} (s since 1970)")
