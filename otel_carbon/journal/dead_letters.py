"""What no destination would take: kept apart, bounded, and there to be looked at and sent again.

A file of its own beside the journal, so that the journal can forget what is settled. Several processes may use it at
once: the gateway puts letters in, a command takes them out.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.errors import StorageError
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.undelivered import Undelivered
from otel_carbon.write_ahead import log_ahead

__all__ = ["DEAD_LETTERS_NAME", "DeadLetter", "DeadLetters", "Kept", "Shelf"]

DEAD_LETTERS_NAME = "dead_letters.db"

_APPLICATION_ID = 0x4F434431  # "OCD1"
_MAX_REASON_CHARS = 1000
_WAIT_S = 5.0
_KEPT_LOG_BYTES = 16 << 20
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kept_unix_nano INTEGER NOT NULL,
    received_unix_nano INTEGER NOT NULL,
    exporter TEXT NOT NULL,
    signal TEXT NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    tenant TEXT,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letter_by_exporter ON dead_letter (exporter, signal, items, bytes);
PRAGMA application_id = {_APPLICATION_ID};
COMMIT;
"""
_LETTERS = (
    "SELECT id, kept_unix_nano, received_unix_nano, exporter, signal, items, bytes, tenant, reason FROM dead_letter "
    "WHERE id > ? AND (? IS NULL OR exporter = ?) ORDER BY id LIMIT ?"
)
_OLDEST = "SELECT id, items, bytes FROM dead_letter WHERE id < (SELECT max(id) FROM dead_letter) ORDER BY id"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A payload that a destination did not take, without its body. `id` grows by the time of keeping."""

    id: int
    kept_unix_nano: int
    received_unix_nano: int
    exporter_id: str
    signal: Signal
    items: int
    bytes: int
    tenant: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of letters that were put in: how many old ones had to go for them, and their items."""

    dropped_letters: int = 0
    dropped_items: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is kept of one exporter and signal."""

    exporter_id: str
    signal: Signal
    letters: int
    items: int
    bytes: int


class DeadLetters:
    """An open store. Thread-safe.

    Raises:
        StorageError: the file cannot be used; from every method. The message names it.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        with self._naming_the_file():
            self._db = _opened(path)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def keep(self, exporter_id: str, letters: Sequence[Undelivered], now_unix_nano: int) -> Kept:
        """Store letters on disk; the oldest go where there is no room."""
        rows = [_row(exporter_id, one, now_unix_nano) for one in letters]
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO dead_letter (kept_unix_nano, received_unix_nano, exporter, signal, items, bytes, tenant,"
                " reason, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            return self._make_room(db)

    def shelves(self) -> list[Shelf]:
        """Return how much is kept, by exporter and signal."""
        statement = (
            "SELECT exporter, signal, count(*), sum(items), sum(bytes) FROM dead_letter "
            "GROUP BY exporter, signal ORDER BY exporter, signal"
        )
        with self._reading() as db:
            return [Shelf(name, Signal(signal), *counts) for name, signal, *counts in db.execute(statement)]

    def letters(self, exporter_id: str | None = None, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return letters after an id, oldest first."""
        with self._reading() as db:
            found = db.execute(_LETTERS, (after, exporter_id, exporter_id, limit)).fetchall()
        return [
            DeadLetter(id_, kept, received, exporter, Signal(signal), *rest)
            for id_, kept, received, exporter, signal, *rest in found
        ]

    def entry(self, letter: DeadLetter) -> JournalEntry | None:
        """Return a letter as what an exporter takes, its id for a position; None when it is gone."""
        with self._reading() as db:
            found = db.execute("SELECT body FROM dead_letter WHERE id = ?", (letter.id,)).fetchone()
        if found is None:
            return None
        payload = Payload(letter.signal, found[0], letter.items, tenant=letter.tenant)
        return JournalEntry(letter.id, letter.received_unix_nano, payload)

    def remove(self, ids: Iterable[int]) -> int:
        """Forget letters and return how many there were."""
        with self._transaction() as db:
            return sum(db.execute("DELETE FROM dead_letter WHERE id = ?", (id_,)).rowcount for id_ in ids)

    def _make_room(self, db: sqlite3.Connection) -> Kept:
        """Delete the oldest letters beyond the limit; the newest stays, however large it is."""
        over_bytes = int(db.execute("SELECT coalesce(sum(bytes), 0) FROM dead_letter").fetchone()[0]) - self._max_bytes
        dropped: list[tuple[int, int]] = []
        if over_bytes > 0:
            for id_, items, size in db.execute(_OLDEST):
                if over_bytes <= 0:
                    break
                dropped.append((id_, items))
                over_bytes -= size
        db.executemany("DELETE FROM dead_letter WHERE id = ?", [(id_,) for id_, _ in dropped])
        return Kept(len(dropped), sum(items for _, items in dropped))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._reading() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with self._lock, self._naming_the_file():
            yield self._db

    @contextmanager
    def _naming_the_file(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"dead letters {self._path} cannot be used: {error}; check that the disk has room and is writable, "
                "or move the file away"
            ) from error


def _row(exporter_id: str, one: Undelivered, now_unix_nano: int) -> tuple[int | str | bytes | None, ...]:
    entry, payload = one.entry, one.entry.payload
    reason = one.reason[:_MAX_REASON_CHARS]
    return (
        now_unix_nano, entry.received_unix_nano, exporter_id, payload.signal.value, payload.items, len(payload.body),
        payload.tenant, reason, payload.body,
    )  # fmt: skip


def _opened(path: Path) -> sqlite3.Connection:
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        if application not in (0, _APPLICATION_ID):
            raise sqlite3.DatabaseError("it is another program's")
        log_ahead(db, within_s=_WAIT_S, keep_bytes=_KEPT_LOG_BYTES)
        db.execute("PRAGMA synchronous = FULL")  # the journal forgets what lies here
        if application == 0:
            db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db
