"""The in-app writer: never in the way, never losing what it can keep, and honest about what it cannot."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import estimator, open_ledger, rows, sighting

from otel_carbon.errors import ConfigError
from otel_carbon.ledger.verify import verify
from otel_carbon.ledger.writer import LedgerWriter
from otel_carbon.model import Sighting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def writer(path: Path) -> Iterator[LedgerWriter]:
    created = LedgerWriter(path, estimator())
    yield created
    created.close()


def _recorded(path: Path) -> int:
    with closing(open_ledger(path)) as ledger:
        assert verify(ledger).problems == ()
        return int(rows(ledger, "SELECT COUNT(*) FROM lines")[0][0])


def test_what_is_submitted_is_recorded_after_a_flush(path: Path, writer: LedgerWriter) -> None:
    assert all(writer.submit(sighting(number)) for number in range(1, 1001))

    assert writer.flush(30)
    assert (writer.recorded, writer.dropped) == (1000, 0)
    with closing(open_ledger(path)) as ledger:
        assert rows(ledger, "SELECT COUNT(*), MIN(source), MAX(source) FROM lines") == [(1000, "sdk", "sdk")]


def test_what_is_to_be_made_later_is_made_by_the_writers_thread(path: Path, writer: LedgerWriter) -> None:
    makers: list[str] = []

    def make() -> Sighting:
        makers.append(threading.current_thread().name)
        return sighting(2)

    assert writer.submit(sighting(1))
    assert writer.submit_later(make)
    assert writer.flush(30)
    assert (makers, writer.recorded, _recorded(path)) == (["otel-carbon-ledger"], 2, 2)


def test_without_a_flush_a_batch_is_recorded_after_its_interval(path: Path) -> None:
    writer = LedgerWriter(path, estimator(), interval_s=0.01)
    writer.submit(sighting(1))

    arrived = threading.Event()
    while not writer.recorded:
        arrived.wait(0.01)
    writer.close()

    assert _recorded(path) == 1


def test_flush_with_nothing_submitted_returns_at_once(writer: LedgerWriter) -> None:
    assert writer.flush(0.0)


def test_close_records_what_is_left_and_refuses_what_comes_after(path: Path, writer: LedgerWriter) -> None:
    writer.submit(sighting(1))
    writer.close()

    assert not writer.submit(sighting(2))
    writer.close()
    assert writer.flush(1)
    assert writer.dropped == 1
    assert _recorded(path) == 1


def test_many_threads_submit_without_a_loss(path: Path, writer: LedgerWriter) -> None:
    def submit(trace: int) -> None:
        for number in range(1, 201):
            assert writer.submit(sighting(number, trace=trace))

    threads = [threading.Thread(target=submit, args=(trace,)) for trace in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()

    assert _recorded(path) == 1600


def test_a_full_queue_drops_counts_and_says_so_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_ledger(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    writer = LedgerWriter(path, estimator(), batch_size=4, queue_size=8)

    with caplog.at_level(logging.WARNING, "otel_carbon.ledger.writer"):
        accepted = sum(writer.submit(sighting(number)) for number in range(1, 101))
    holder.execute("ROLLBACK")
    holder.close()
    writer.close()

    assert 8 <= accepted < 100
    assert writer.dropped == 100 - accepted
    assert writer.recorded == accepted
    assert [record.message for record in caplog.records] == [f"dropping calls for the ledger {path}: its queue is full"]
    assert _recorded(path) == accepted


def test_a_disk_that_takes_nothing_never_reaches_the_application(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where a directory should be")
    writer = LedgerWriter(tmp_path / "data" / "ledger.db", estimator())

    with caplog.at_level(logging.WARNING, "otel_carbon.ledger.writer"):
        assert writer.submit(sighting(1))
        assert not writer.flush(0.05)
        writer.close()

    assert (writer.recorded, writer.dropped) == (0, 1)
    assert len(caplog.records) == 1
    assert "data/ledger.db" in caplog.records[0].message


def test_a_disk_that_recovers_gets_everything(tmp_path: Path) -> None:
    obstacle = tmp_path / "data"
    obstacle.write_text("a file where a directory should be")
    writer = LedgerWriter(obstacle / "ledger.db", estimator())
    for number in range(1, 301):
        writer.submit(sighting(number))
    assert not writer.flush(0.05)

    obstacle.unlink()

    assert writer.flush(30)
    writer.close()
    assert _recorded(obstacle / "ledger.db") == 300


def test_another_kind_of_database_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="keeps its ledger in SQLite"):
        LedgerWriter("postgresql://host/db", estimator())


# `close` gives a slow disk ten seconds, which five processes on a busy machine may need: so they flush before it.
_FORK = """
import os, sys
from pathlib import Path
from ledger_cases import estimator, sighting
from otel_carbon.ledger.writer import LedgerWriter
writer = LedgerWriter(Path(sys.argv[1]), estimator(), interval_s=60)
for number in range(1, 51):
    writer.submit(sighting(number, trace=1))
children = []
for child in range(2, 6):
    pid = os.fork()
    if pid == 0:
        for number in range(1, 51):
            writer.submit(sighting(number, trace=child))
        writer.flush(60)
        writer.close()
        os._exit(0 if (writer.recorded, writer.dropped) == (50, 0) else 1)
    children.append(pid)
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
writer.submit(sighting(51, trace=1))
writer.flush(60)
writer.close()
print(statuses, writer.recorded, writer.dropped)
"""

_EXIT = """
import sys
from pathlib import Path
from ledger_cases import estimator, sighting
from otel_carbon.ledger.writer import LedgerWriter
writer = LedgerWriter(Path(sys.argv[1]), estimator(), interval_s=60)
for number in range(1, 11):
    writer.submit(sighting(number))
"""


def _run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "support")}
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(path)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
    )


def test_after_a_fork_every_process_writes_its_own(path: Path) -> None:
    done = _run(_FORK, path)

    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0] 51 0\n", "")
    assert _recorded(path) == 251


def test_an_application_that_ends_leaves_nothing_behind(path: Path) -> None:
    done = _run(_EXIT, path)

    assert (done.returncode, done.stderr) == (0, "")
    assert _recorded(path) == 10


def test_an_application_that_is_killed_leaves_a_sound_ledger(path: Path) -> None:
    done = _run(_EXIT + "writer.flush()\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)", path)

    assert done.returncode == -signal.SIGKILL
    assert _recorded(path) == 10
