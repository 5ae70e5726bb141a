"""A writer that is killed, and writers side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from ledger_cases import open_ledger, rows, sighting

from otel_carbon.ledger.verify import verify

_SUPPORT = str(Path(__file__).parent / "support")
_WRITE = """
import sys
from pathlib import Path
from ledger_cases import open_ledger, sighting
path, trace, batches = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
ledger = open_ledger(path)
for batch in range(batches):
    numbers = range(batch * 20 + 1, batch * 20 + 21)
    seen = [sighting(n, trace=trace, response_id=f"r{trace}-{n // 2}", parent=n - 1, start_s=n) for n in numbers]
    ledger.record(seen, cursor=(f"writer {trace}", batch + 1))
    print(batch + 1, flush=True)
"""


def _writer(path: Path, trace: int, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITE, str(path), str(trace), str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": _SUPPORT})


def test_a_killed_writer_leaves_whole_batches_and_resumes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    acknowledged = 0
    for _ in range(3):
        process = _writer(path, 1, 100_000)
        assert process.stdout is not None
        for _ in range(15):
            acknowledged = max(acknowledged, int(process.stdout.readline()))
        time.sleep(0.01)  # so that the kill falls anywhere in a transaction
        process.send_signal(signal.SIGKILL)
        process.communicate()

    with closing(open_ledger(path)) as ledger:
        position = ledger.cursor("writer 1")
        assert position >= acknowledged
        assert rows(ledger, "SELECT COUNT(*) FROM observations") == [(position * 20,)]
        assert verify(ledger).problems == ()
        # Numbers 2k and 2k + 1 are one response, so every batch of twenty adds ten calls, and the first one more.
        assert rows(ledger, "SELECT SUM(calls), SUM(counted) FROM hourly") == [(position * 10 + 1, position * 10 + 1)]


def test_processes_write_to_one_ledger_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    writers = [_writer(path, trace, 40) for trace in (1, 2, 3)]
    for writer in writers:
        writer.communicate()

    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with closing(open_ledger(path)) as ledger:
        assert [ledger.cursor(f"writer {trace}") for trace in (1, 2, 3)] == [40, 40, 40]
        assert rows(ledger, "SELECT COUNT(*) FROM observations") == [(2400,)]
        assert rows(ledger, "SELECT SUM(calls) FROM hourly") == [(1203.0,)]
        assert verify(ledger).problems == ()


def test_processes_that_see_the_same_spans_count_them_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    writers = [_writer(path, 1, 30) for _ in range(2)]
    for writer in writers:
        writer.communicate()

    with closing(open_ledger(path)) as ledger:
        assert ledger.record([sighting(1, trace=1)]).counted == 0
        assert rows(ledger, "SELECT COUNT(*) FROM observations") == [(600,)]
        assert rows(ledger, "SELECT SUM(calls) FROM lines") == [(301.0,)]
        assert verify(ledger).problems == ()
