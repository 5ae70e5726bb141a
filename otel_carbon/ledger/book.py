"""The ledger itself: open it, record sightings, read where a reader left off."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from otel_carbon.errors import LedgerError, StorageError
from otel_carbon.estimator import Estimator
from otel_carbon.ledger.dialect import connect, connect_read_only, storage_error
from otel_carbon.ledger.paths import ledger_path
from otel_carbon.ledger.recorded import Recorded
from otel_carbon.ledger.recording import Recorder
from otel_carbon.ledger.schema import check_schema, upgrade
from otel_carbon.ledger.taken_back import reversals_of_text
from otel_carbon.model import Outcome, Reversal, Sighting

__all__ = ["Ledger"]


class Ledger:
    """An append-only book of GenAI calls in one SQLite file. Safe for use by several threads and processes.

    After a fork the child must open the ledger again: a connection cannot be shared.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, recorder: Recorder | None) -> None:
        self.path = path
        self._connection = connection
        self._recorder = recorder
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path_or_url: str | Path, *, estimator: Estimator) -> Self:
        """Open a ledger for recording, created where there is none.

        Raises:
            ConfigError: the URL names another kind of database.
            StorageError: the file cannot be used.
            LedgerError: the file was written by a newer version.
            MissingExtraError: sqlite-utils is not installed.
        """
        path = ledger_path(path_or_url)
        connection = connect(path)
        try:
            upgrade(connection)
        except sqlite3.Error as error:
            connection.close()
            raise storage_error(path, error) from error
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, Recorder(connection, estimator))

    @classmethod
    def open_read_only(cls, path_or_url: str | Path) -> Self:
        """Open an existing ledger for reports, while others may be writing to it.

        Raises:
            ConfigError: the URL names another kind of database.
            StorageError: there is no such file, it is damaged, or it is not a ledger of this version.
            MissingExtraError: sqlite-utils is not installed.
        """
        path = ledger_path(path_or_url)
        connection = connect_read_only(path)
        try:
            check_schema(connection)
        except sqlite3.Error as error:
            connection.close()
            raise storage_error(path, error) from error
        except LedgerError as error:
            connection.close()
            raise StorageError(f"{path}: {error}") from error
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, None)

    def record(
        self,
        sightings: Sequence[Sighting],
        *,
        outcomes: Sequence[Outcome | None] | None = None,
        cursor: tuple[str, int] | None = None,
        source: str = "otlp",
    ) -> Recorded:
        """Record a batch in one transaction: every span once, every call once, whatever was recorded before.

        `outcomes` are what these spans have been marked with since they were sighted, in full precision, None where
        nothing was; the lines are those that reading the marked spans would have given. `cursor` is a name and the
        position up to which its reader has now been recorded; it never moves back.
        `source` says where the sightings came from: `otlp`, `sdk`, `track` or `usage_api`.

        Raises:
            StorageError: the batch was not recorded, nothing of it.
            LedgerError: the ledger was opened for reading.
        """
        if self._recorder is None:
            raise LedgerError(f"{self.path} was opened for reading")
        with self._lock:
            try:
                return self._recorder.record(sightings, outcomes, cursor, source)
            except sqlite3.Error as error:
                raise storage_error(self.path, error) from error

    def cursor(self, name: str) -> int:
        """Return the position up to which a reader has been recorded, 0 for an unknown one."""
        with self.snapshot() as connection:
            row = connection.execute("SELECT position FROM cursors WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def last_taken_back(self, name: str) -> tuple[int, tuple[Reversal, ...]]:
        """Return the position up to which a reader has been recorded, and what the transaction took back."""
        with self.snapshot() as connection:
            row = connection.execute("SELECT position, taken_back FROM cursors WHERE name = ?", (name,)).fetchone()
        return (0, ()) if row is None else (int(row[0]), reversals_of_text(row[1]))

    @contextmanager
    def snapshot(self) -> Generator[sqlite3.Connection]:
        """Give the connection for reading: all queries inside see one state of the ledger.

        Raises:
            StorageError: the file cannot be read.
        """
        with self._lock:
            connection = self._connection
            try:
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise storage_error(self.path, error) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()
