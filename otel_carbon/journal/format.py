"""The journal's file format: tables, settings, and the checksums by which a row proves that it is as it was written."""

from __future__ import annotations

import os
import sqlite3
import uuid
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from otel_carbon.errors import DamagedError, StorageError
from otel_carbon.pipeline.pdata import Payload
from otel_carbon.write_ahead import log_ahead

__all__ = [
    "APPLICATION_ID",
    "CHECKPOINT_PAGES",
    "PAGE_BYTES",
    "Row",
    "connect",
    "corrupt",
    "cursor_crc32",
    "entry_crc32",
    "row",
    "storage_error",
]

APPLICATION_ID = 0x4F434A31  # "OCJ1"
PAGE_BYTES = 16384  # bodies are tens of kB: fewer, larger pages cost half of what 4 KiB ones do
_SCHEMA_VERSION = 1
_WAIT_S = 5.0
CHECKPOINT_PAGES = 1024
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# `bytes` stands before `body` and in the index, so that counting never reads a body.
_SCHEMA = """
BEGIN;
CREATE TABLE entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline TEXT NOT NULL,
    signal TEXT NOT NULL,
    received_unix_nano INTEGER NOT NULL,
    running_ms INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    tenant TEXT,
    body BLOB NOT NULL
);
CREATE INDEX entry_by_pipeline ON entry (pipeline, position, items, bytes);
CREATE TABLE cursor (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, pipelines TEXT NOT NULL, crc32 INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE journal (id TEXT NOT NULL);
INSERT INTO journal VALUES ($id);
COMMIT;
"""


Head = tuple[int, str, str, int, int, int]
"""The first columns of a row, position to items."""


class Row(NamedTuple):
    """A payload as the table holds it. `running_ms` is the age of the journal, see `RunningClock`."""

    position: int
    pipeline: str
    signal: str
    received_unix_nano: int
    running_ms: int
    items: int
    body_bytes: int
    crc32: int
    tenant: str | None
    body: bytes


def row(position: int, received_unix_nano: int, running_ms: int, pipeline_id: str, payload: Payload) -> Row:
    """Return a payload as a row."""
    head = (position, pipeline_id, payload.signal.value, received_unix_nano, running_ms, payload.items)
    tenant, body = payload.tenant, payload.body
    return Row(*head, len(body), entry_crc32(head, tenant, body), tenant, body)


def entry_crc32(head: Head, tenant: str | None, body: bytes) -> int:
    """Return the checksum over everything in a row: SQLite itself does not notice a changed byte in a value."""
    return zlib.crc32(body, zlib.crc32(f"{head}{tenant!r}".encode()))


def cursor_crc32(name: str, position: int, pipelines: str) -> int:
    """Return the checksum over a stored cursor: one that is too far ahead would skip what nobody has."""
    return zlib.crc32(f"{name}\0{position}\0{pipelines}".encode())


def storage_error(path: Path, error: Exception) -> StorageError:
    """Return the error that names the file, what is wrong with it and the fix."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in _DAMAGED:
        return DamagedError(
            f"journal {path} is damaged ({error}); move it away and start again: "
            "what it had not delivered yet is lost, everything in the ledger stays"
        )
    return StorageError(f"journal {path} cannot be used: {error}; check that the disk has room and is writable")


def corrupt(message: str) -> sqlite3.DatabaseError:
    """Return the error that SQLite itself raises for what it notices."""
    error = sqlite3.DatabaseError(message)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def connect(path: Path, *, fsync: bool, journal_id: str | None = None) -> sqlite3.Connection:
    """Open a journal file, created for its owner alone where there is none, then with this id or a new one.

    Raises:
        StorageError: it is foreign or newer.
        sqlite3.Error, OSError: it cannot be opened.
    """
    # Only a new file: closing one that is open here already would free the locks of its connections (POSIX).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)  # SQLite gives -wal and -shm the same mode
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, path, journal_id or str(uuid.uuid4()), fsync=fsync)
    except (sqlite3.Error, StorageError):
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, journal_id: str, *, fsync: bool) -> None:
    db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    log_ahead(db, within_s=_WAIT_S, keep_bytes=2 * CHECKPOINT_PAGES * PAGE_BYTES)
    db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    db.execute("PRAGMA cell_size_check = ON")
    application, version = (db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    if (application, version) == (0, 0) and not db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
        db.executescript(_SCHEMA.replace("$id", f"'{journal_id}'").replace("COMMIT;", pragmas))
    elif application != APPLICATION_ID:
        raise StorageError(f"{path} is not a journal of otel-carbon; move it away or choose another --data-dir")
    elif version > _SCHEMA_VERSION:
        raise StorageError(f"journal {path} was written by a newer otel-carbon (format {version}); install that one")
