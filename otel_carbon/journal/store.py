"""The journal's file: every SQL statement of the journal, and nothing that knows of threads or futures."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from otel_carbon.errors import StorageError
from otel_carbon.journal.values import Backlog, ReadLimits
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Floors", "Row", "Store", "row", "storage_error"]

Row = tuple[int, str, str, int, int, int, str | None, bytes]
"""position, pipeline, signal, received_unix_nano, items, bytes, tenant, body."""

Floors = Mapping[str, tuple[int, int]]
"""Pipeline to the positions (after the first, through the second) that every reader has."""

_APPLICATION_ID = 0x4F434A31  # "OCJ1"
_SCHEMA_VERSION = 1
_PAGE_BYTES = 16384  # bodies are tens of kB: fewer, larger pages cost half of what 4 KiB ones do
_CHECKPOINT_PAGES = 1024
_SHRINK_ABOVE_BYTES = 64 << 20
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# `bytes` stands before `body` and in the index, so that counting never reads a body.
_SCHEMA = """
BEGIN;
CREATE TABLE entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    signal TEXT NOT NULL,
    received_unix_nano INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    tenant TEXT,
    body BLOB NOT NULL
);
CREATE INDEX entry_by_pipeline ON entry (pipeline, position, items, bytes);
CREATE TABLE cursor (name TEXT PRIMARY KEY, position INTEGER NOT NULL, pipelines TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (id TEXT NOT NULL);
INSERT INTO journal VALUES ($id);
COMMIT;
"""
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_RANGE = "pipeline = ? AND position > ? AND position <= ?"


class Store:
    """An open journal file. Not thread-safe; a writer and a reader each have one of their own.

    Raises:
        StorageError: the file is damaged, foreign, newer, or cannot be opened; also from every method that reads.
        sqlite3.Error: from `commit` and `probe`, when nothing of it was stored.
    """

    def __init__(self, path: Path, *, fsync: bool = True) -> None:
        self._path = path
        try:
            self._db = _opened(path, fsync=fsync)
        except (sqlite3.Error, OSError) as error:
            raise storage_error(path, error) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._db.close()

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

    def read(self, position: int, pipelines: Iterable[str], limits: ReadLimits) -> list[JournalEntry]:
        """Return what follows `position` in these pipelines, in order."""
        statement = "SELECT position, bytes FROM entry WHERE pipeline = ? AND position > ? ORDER BY position LIMIT ?"
        candidates = [
            row for pipeline in pipelines for row in self._rows(statement, pipeline, position, limits.max_entries)
        ]
        return [self._entry(wanted) for wanted in _within(sorted(candidates), limits)]

    def set_cursors(self, cursors: Mapping[str, tuple[int, frozenset[str]]]) -> None:
        """Make these the only cursors, and delete what no pipeline of theirs holds."""
        read = {pipeline for _, pipelines in cursors.values() for pipeline in pipelines}
        orphans = [pipeline for pipeline in self.last_positions() if pipeline not in read]
        rows = [(name, position, " ".join(sorted(pipelines))) for name, (position, pipelines) in cursors.items()]
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM cursor")
                self._db.executemany("INSERT INTO cursor VALUES (?, ?, ?)", rows)
                self._db.executemany("DELETE FROM entry WHERE pipeline = ?", [(pipeline,) for pipeline in orphans])
        except sqlite3.Error as error:
            raise storage_error(self._path, error) from error

    def commit(self, rows: list[Row], cursors: Mapping[str, int], floors: Floors) -> int:
        """Store entries and cursor positions and delete what everybody has, all or nothing; return the bytes freed."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_INSERT, rows)
            self._db.executemany(
                "UPDATE cursor SET position = ? WHERE name = ?",
                [(position, name) for name, position in cursors.items()],
            )
            return sum(self._delete(pipeline, after, through) for pipeline, (after, through) in floors.items())

    def probe(self) -> None:
        """Write something that changes nothing, to see whether the disk takes it."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE journal SET id = id")

    def shrink(self) -> None:
        """Give the space of an emptied file back to the disk."""
        pages, page_bytes = self._rows("PRAGMA freelist_count")[0][0], self._rows("PRAGMA page_size")[0][0]
        if pages * page_bytes > _SHRINK_ABOVE_BYTES and not self._rows("SELECT 1 FROM entry LIMIT 1"):
            self._rows("VACUUM")

    def _delete(self, pipeline: str, after: int, through: int) -> int:
        span = (pipeline, after, through)
        found = self._db.execute(f"SELECT coalesce(sum(bytes), 0) FROM entry WHERE {_RANGE}", span)  # noqa: S608  constant
        freed = int(found.fetchone()[0])
        self._db.execute(f"DELETE FROM entry WHERE {_RANGE}", span)  # noqa: S608  constant
        return freed

    def _entry(self, position: int) -> JournalEntry:
        statement = "SELECT signal, received_unix_nano, items, tenant, body FROM entry WHERE position = ?"
        signal, received_unix_nano, items, tenant, body = self._rows(statement, position)[0]
        return JournalEntry(position, received_unix_nano, Payload(Signal(signal), body, items, tenant=tenant))

    def _rows(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(self._path, error) from error


def row(position: int, received_unix_nano: int, pipeline_id: str, payload: Payload) -> Row:
    """Return a payload as a row."""
    body = payload.body
    signal = payload.signal.value
    return (position, pipeline_id, signal, received_unix_nano, payload.items, len(body), payload.tenant, body)


def storage_error(path: Path, error: Exception) -> StorageError:
    """Return the error that names the file, what is wrong with it and the fix."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in _DAMAGED:
        return StorageError(
            f"journal {path} is damaged ({error}); move it away and start again: "
            "what it had not delivered yet is lost, everything in the ledger stays"
        )
    return StorageError(f"journal {path} cannot be used: {error}; check that the disk has room and is writable")


def _opened(path: Path, *, fsync: bool) -> sqlite3.Connection:
    # Only a new file: closing one that is open here already would free the locks of its connections (POSIX).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)  # SQLite gives -wal and -shm the same mode
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, path, fsync=fsync)
    except (sqlite3.Error, StorageError):
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, *, fsync: bool) -> None:
    db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
    db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    application, version = (db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    if (application, version) == (0, 0) and not db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        pragmas = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
        db.executescript(_SCHEMA.replace("$id", f"'{uuid.uuid4()}'").replace("COMMIT;", pragmas))
    elif application != _APPLICATION_ID:
        raise StorageError(f"{path} is not a journal of otel-carbon; move it away or choose another --data-dir")
    elif version > _SCHEMA_VERSION:
        raise StorageError(f"journal {path} was written by a newer otel-carbon (format {version}); install that one")


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
