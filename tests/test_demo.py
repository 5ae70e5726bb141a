"""The demo as a person runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path


def _demo(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "otel_carbon", "demo", *map(str, arguments)]


def _report(data_dir: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "otel_carbon", "report", "--data-dir", str(data_dir), "--format", "json"]
    report: dict[str, object] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return report


def test_the_demo_keeps_its_books_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(_demo("--once", "--data-dir", tmp_path), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "18 calls served, 18 in the ledger, each once" in done.stdout
    assert done.stdout.count("✓") == 3
    assert _report(tmp_path)["totals"]["calls"] == 18  # type: ignore[index]


def test_a_demo_that_stays_up_ends_at_ctrl_c_and_adds_to_the_same_ledger(tmp_path: Path) -> None:
    subprocess.run(_demo("--once", "--data-dir", tmp_path), capture_output=True, check=True)
    process = subprocess.Popen(_demo("--data-dir", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Still up" in line:
            process.send_signal(signal.SIGINT)
            break
    _out, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert _report(tmp_path)["totals"]["calls"] == 36  # type: ignore[index]
