"""Everything that only SQLite understands: opening, settings, locking."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from otel_carbon.errors import StorageError
from otel_carbon.write_ahead import log_ahead

__all__ = ["connect", "connect_read_only", "damages", "immediate", "storage_error"]

_BUSY_TIMEOUT_MS = 30_000
_KEPT_LOG_BYTES = 64 << 20  # twice what it has at a checkpoint, so that an ordinary one cuts nothing
_OWNER_ALONE = 0o600
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # Ids are random, so every batch touches pages all over an index: keep them in memory, and write each one back to
    # the file once per checkpoint instead of once per batch.
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 8000",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a ledger file for writing, created with its directory where it does not exist, for its owner alone.

    An existing file keeps the rights that somebody gave it.

    Raises:
        StorageError: the file or its directory cannot be used, or the file is another program's database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise storage_error(path, error) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        # First of all: WAL mode is written into the file.
        _refuse_foreign(path, connection)
        log_ahead(connection, within_s=_BUSY_TIMEOUT_MS / 1000, keep_bytes=_KEPT_LOG_BYTES)
        for setting in _SETTINGS:
            connection.execute(setting)
    except sqlite3.Error as error:
        connection.close()
        raise storage_error(path, error) from error
    except StorageError:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open an existing ledger file for reading, also from a medium that cannot be written.

    Raises:
        StorageError: the file does not exist or cannot be read, or is another program's database.
    """
    if not path.is_file():
        raise StorageError(f"there is no ledger at {path}")
    # A WAL database needs a -shm file; where there is none and none can be made, nobody can be writing either.
    shared = path.with_name(f"{path.name}-shm").exists() or os.access(path.parent, os.W_OK)
    url = f"{path.resolve().as_uri()}?{'mode=ro' if shared else 'immutable=1'}"
    try:
        connection = sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        _refuse_foreign(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise storage_error(path, error) from error
    except StorageError:
        connection.close()
        raise
    return connection


@contextmanager
def immediate(connection: sqlite3.Connection) -> Generator[None]:
    """Run a transaction that holds the write lock from its beginning, so that what it reads stays true."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damages(connection: sqlite3.Connection) -> list[str]:
    """Return what the database finds wrong with its own file, empty for a sound one."""
    try:
        messages = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:  # too damaged even for the check
        return [str(error)]
    return [message for message in messages if message != "ok"]


def storage_error(path: Path, error: Exception) -> StorageError:
    """Return the error that names the ledger file, what is wrong and the fix."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        fix = "the file is damaged or not a ledger: restore it from a backup, or move it away"
    elif "locked" in text:
        fix = f"another process held it for more than {_BUSY_TIMEOUT_MS // 1000} s"
    elif "full" in text:
        fix = "free some space"
    else:
        fix = "check that the file and its directory exist and can be written"
    return StorageError(f"ledger {path}: {text}; {fix}")


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that another program keeps; one without tables may become a ledger."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "observations" not in tables:
        raise StorageError(
            f"ledger {path}: not a ledger but a database of another program, with the table {min(tables)!r};"
            " name another file"
        )


def _create(path: Path) -> None:
    """Create the file for its owner alone; SQLite gives -wal and -shm the mode of the file.

    One that exists is not even opened: closing it again would free the locks of all its connections in this process
    (POSIX record locks, https://www.sqlite.org/howtocorrupt.html section 2.2).
    """
    with suppress(OSError):  # SQLite itself says what is wrong with a file that it cannot open
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ALONE))
