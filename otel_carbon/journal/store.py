"""The journal's file at work: every SQL statement of it, and nothing that knows of threads or futures."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_carbon.journal.format import (
    CHECKPOINT_PAGES,
    PAGE_BYTES,
    Row,
    connect,
    corrupt,
    cursor_crc32,
    entry_crc32,
    storage_error,
)
from otel_carbon.journal.values import Backlog, ReadLimits
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Floors", "Found", "Freed", "Store"]

Floors = Mapping[str, tuple[int, int]]
"""Pipeline to the positions (after the first, through the second) that every reader has."""

_SHRINK_ABOVE_BYTES = 64 << 20
_LOG_BYTES = CHECKPOINT_PAGES * (PAGE_BYTES + 24)  # a page in the write-ahead log has a header
_DELETED_AT_ONCE_BYTES = 8 << 20
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_RANGE = "pipeline = ? AND position > ? AND position <= ?"
_ENTRY = (
    "SELECT position, pipeline, signal, received_unix_nano, running_ms, items, bytes, crc32, tenant, body FROM entry"
)


class Freed(NamedTuple):
    """How much a commit has deleted, and of which positions."""

    bytes: int
    floors: Floors


class Found(NamedTuple):
    """What a read came upon, in order: entries, and rows that are no longer as they were written."""

    entries: list[JournalEntry]
    damaged: list[Row]


class Store:
    """An open journal file. Not thread-safe; a writer and a reader each have one of their own.

    Raises:
        StorageError: the file is foreign, newer, or cannot be opened; also from every method that reads.
        DamagedError: the file is damaged; likewise.
        sqlite3.Error: from `commit` and `probe`, when nothing of it was stored.
    """

    def __init__(self, path: Path, *, fsync: bool = True) -> None:
        self._path = path
        try:
            self._db = connect(path, fsync=fsync)
        except (sqlite3.Error, OSError) as error:
            raise storage_error(path, error) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._db.close()

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            DamagedError: its pages do not fit together, or a cursor is not as it was written.
        """
        (said,) = self._rows("PRAGMA integrity_check(1)")[0]
        if said != "ok":
            raise storage_error(self._path, corrupt(str(said).splitlines()[-1]))
        for name, position, pipelines, crc32 in self._rows("SELECT name, position, pipelines, crc32 FROM cursor"):
            if cursor_crc32(name, position, pipelines) != crc32:
                raise storage_error(self._path, corrupt(f"the cursor {name} is not as it was written"))

    def journal_id(self) -> str:
        """Return the id that this file got when it was created."""
        return str(self._rows("SELECT id FROM journal")[0][0])

    def head(self) -> int:
        """Return the highest position ever given."""
        found = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'entry'")
        return int(found[0][0]) if found else 0

    def last_positions(self) -> dict[str, int]:
        """Return the newest position per pipeline."""
        return dict(self._rows("SELECT pipeline, max(position) FROM entry GROUP BY pipeline"))

    def live_bytes(self) -> int:
        """Return the size of all bodies."""
        return int(self._rows("SELECT coalesce(sum(bytes), 0) FROM entry")[0][0])

    def running_ms(self) -> int:
        """Return how old the journal was when its newest entry came."""
        return int(self._rows("SELECT coalesce(max(running_ms), 0) FROM entry")[0][0])

    def oldest_running_ms(self) -> int | None:
        """Return how old the journal was when its oldest entry came; None when there is none."""
        found = self._rows("SELECT running_ms FROM entry ORDER BY position LIMIT 1")
        return int(found[0][0]) if found else None

    def cursors(self) -> dict[str, tuple[int, frozenset[str]]]:
        """Return position and pipelines of every stored cursor."""
        rows = self._rows("SELECT name, position, pipelines FROM cursor")
        return {name: (position, frozenset(pipelines.split())) for name, position, pipelines in rows}

    def backlog(self, position: int, pipelines: Collection[str]) -> Backlog:
        """Return what lies after `position` in these pipelines."""
        statement = "SELECT count(*), coalesce(sum(items), 0), coalesce(sum(bytes), 0) FROM entry "
        found = [
            self._rows(f"{statement} WHERE pipeline = ? AND position > ?", name, position)[0] for name in pipelines
        ]
        return Backlog(*(sum(column) for column in zip((0, 0, 0), *found, strict=True)))

    def read(self, position: int, pipelines: Iterable[str], limits: ReadLimits) -> Found:
        """Return what follows `position` in these pipelines, in order."""
        statement = "SELECT position, bytes FROM entry WHERE pipeline = ? AND position > ? ORDER BY position LIMIT ?"
        candidates = [
            row for pipeline in pipelines for row in self._rows(statement, pipeline, position, limits.max_entries)
        ]
        found = Found([], [])
        for wanted in _within(sorted(candidates), limits):
            row = self._row(wanted)
            if row.crc32 == entry_crc32(row[:6], row.tenant, row.body):
                found.entries.append(_entry(row))
            else:
                found.damaged.append(row)
        return found

    def set_cursors(self, cursors: Mapping[str, tuple[int, frozenset[str]]]) -> None:
        """Make these the only cursors, and delete what no pipeline of theirs holds."""
        read = {pipeline for _, pipelines in cursors.values() for pipeline in pipelines}
        orphans = [pipeline for pipeline in self.last_positions() if pipeline not in read]
        rows = [_cursor_row(name, position, pipelines) for name, (position, pipelines) in cursors.items()]
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM cursor")
                self._db.executemany("INSERT INTO cursor VALUES (?, ?, ?, ?)", rows)
                self._db.executemany("DELETE FROM entry WHERE pipeline = ?", [(pipeline,) for pipeline in orphans])
        except sqlite3.Error as error:
            raise storage_error(self._path, error) from error

    def commit(self, rows: list[Row], cursors: Mapping[str, tuple[int, frozenset[str]]], floors: Floors) -> Freed:
        """Store entries and cursor positions and delete what everybody has, all or nothing.

        What there is to delete is cut off at some MiB per pipeline; the rest is for the next commit. So no append waits
        long for it, and the write-ahead log is written back in between.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_INSERT, rows)
            self._db.executemany(
                "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)",
                [_cursor_row(name, position, pipelines) for name, (position, pipelines) in cursors.items()],
            )
            deleted = {pipeline: self._delete(pipeline, *span) for pipeline, span in floors.items()}
        through = {pipeline: (floors[pipeline][0], last) for pipeline, (last, _) in deleted.items()}
        return Freed(sum(size for _, size in deleted.values()), through)

    def probe(self) -> None:
        """Write something that changes nothing, to see whether the disk takes it."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE journal SET id = id")

    def spare_bytes(self) -> int:
        """Return how much fits before the disk has to give more room; negative: what it will have to give all the same.

        Deleted pages are written over before the file grows. But the write-ahead log grows to its limit, also when
        something is only deleted, and when it is written back, the file grows to all its pages.
        """
        pages = int(self._rows("PRAGMA page_count")[0][0]) * PAGE_BYTES
        log_bytes = _size(self._path.with_name(f"{self._path.name}-wal"))
        return self._reusable_bytes() - max(0, pages - _size(self._path)) - max(0, _LOG_BYTES - log_bytes)

    def shrink(self) -> None:
        """Give the space of an emptied file back to the disk."""
        if self._reusable_bytes() > _SHRINK_ABOVE_BYTES and not self._rows("SELECT 1 FROM entry LIMIT 1"):
            self._rows("VACUUM")

    def _reusable_bytes(self) -> int:
        return int(self._rows("PRAGMA freelist_count")[0][0]) * PAGE_BYTES

    def _delete(self, pipeline: str, after: int, through: int) -> tuple[int, int]:
        """Delete from a pipeline, and return through which position, and how many bytes that were."""
        span, size = (pipeline, after, through), 0
        for position, length in self._db.execute(f"SELECT position, bytes FROM entry WHERE {_RANGE} ORDER BY 1", span):  # noqa: S608  constant
            size += length
            if size >= _DELETED_AT_ONCE_BYTES:
                through = position
                break
        self._db.execute(f"DELETE FROM entry WHERE {_RANGE}", (pipeline, after, through))  # noqa: S608  constant
        return through, size

    def _row(self, position: int) -> Row:
        found = self._rows(f"{_ENTRY} WHERE position = ?", position)
        if not found:
            raise storage_error(self._path, corrupt(f"entry {position} is in the index only"))
        return Row(*found[0])

    def _rows(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(self._path, error) from error


def _size(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _entry(row: Row) -> JournalEntry:
    payload = Payload(Signal(row.signal), row.body, row.items, tenant=row.tenant)
    return JournalEntry(row.position, row.received_unix_nano, payload)


def _cursor_row(name: str, position: int, pipelines: frozenset[str]) -> tuple[str, int, str, int]:
    names = " ".join(sorted(pipelines))
    return name, position, names, cursor_crc32(name, position, names)


def _within(candidates: list[tuple[int, int]], limits: ReadLimits) -> list[int]:
    """Return the positions of the first candidates (position, bytes) that the limits allow, at least one."""
    chosen: list[int] = []
    size = 0
    for position, length in candidates[: limits.max_entries]:
        size += length
        if chosen and size > limits.max_bytes:
            break
        chosen.append(position)
    return chosen
