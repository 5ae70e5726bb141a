"""One way to the write-ahead log for ledger, journal and dead letters."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from otel_carbon.journal import Journal
from otel_carbon.journal.dead_letters import DeadLetters
from otel_carbon.ledger.dialect import connect
from otel_carbon.write_ahead import log_ahead


@pytest.mark.parametrize(
    "open_it",
    [lambda path: connect(path).close(), lambda path: DeadLetters(path, 1).close(), lambda path: Journal(path).close()],
    ids=["ledger", "dead letters", "journal"],
)
def test_who_opens_a_new_file_waits_for_another_that_is_preparing_it(
    tmp_path: Path, open_it: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE being_made (id INTEGER)")
        other.execute("DROP TABLE being_made")  # a file with a page in it, and nothing of another program
        other.execute("BEGIN IMMEDIATE")
        refused = threading.Event()
        monkeypatch.setattr("otel_carbon.write_ahead.time.sleep", lambda _s: refused.set())
        opening = threading.Thread(target=open_it, args=(path,))
        opening.start()
        assert refused.wait(30)
        other.execute("COMMIT")
        opening.join()

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_log_that_a_long_reader_let_grow_is_cut_after_it(tmp_path: Path) -> None:
    path, log = tmp_path / "one.db", tmp_path / "one.db-wal"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        log_ahead(db, within_s=0.0, keep_bytes=100_000)
        db.execute("CREATE TABLE it (body BLOB)")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM it").fetchone()
            for _ in range(100):
                db.execute("INSERT INTO it VALUES (zeroblob(50000))")
            grown_bytes = log.stat().st_size
        db.execute("PRAGMA wal_checkpoint")
        db.execute("INSERT INTO it VALUES (zeroblob(10))")

        assert grown_bytes > 5_000_000
        assert log.stat().st_size <= 100_000
