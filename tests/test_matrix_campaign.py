"""The live matrix at work, with programs in place of its libraries: no run costs another one its result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "matrix"))

import campaign
import matrix
import program
from plan import Run, Set

_ENDS = """
import json, os, pathlib
case = {"case": "nothing", "started": 1, "ended": 2, "unexpected": ""}
pathlib.Path(os.environ["MATRIX_CASES"]).write_text(json.dumps(case))
"""
_APPS = {"ends": _ENDS, "hangs": "import time; time.sleep(600)", "fails": "raise SystemExit('no such model')"}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Return runs of programs of our own, which need no environment."""
    (tmp_path / "apps").mkdir()
    for name, code in _APPS.items():
        (tmp_path / "apps" / f"{name}.py").write_text(code, encoding="utf-8")
    names = ["hangs", "fails", "ends", "refused"]
    locks = {(name, "newest"): {"pins": ["opentelemetry-sdk==1.45.0"]} for name in names}
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    monkeypatch.setattr(campaign, "read_locks", lambda: {**locks, ("refused", "newest"): {"refused": "too old"}})
    monkeypatch.setattr(campaign, "build_wheel", lambda folder: folder)
    monkeypatch.setattr(campaign, "python_of", lambda *_: Path(sys.executable))
    return [Run(Set(name, name, (name,), (), (), launch="python"), "newest", "both") for name in names]


def test_a_program_that_does_not_end_or_fails_is_its_own_error(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(program, "_ENDS_WITHIN_S", 0.3)

    def keep(result: dict[str, Any]) -> None:
        kept.append(result)
        monkeypatch.setattr(program, "_ENDS_WITHIN_S", 100)  # for those that end, on a machine as slow as it may be

    results = campaign.run_all(runs, tmp_path / "out", 1, keep=keep)

    assert [(result["set"], result.get("error")) for result in results] == [
        ("hangs", "not done after 0.3 s: "),
        ("fails", "exit 1: no such model\n"),
        ("ends", ""),
        ("refused", None),
    ]
    assert results[2]["cases"] == [{"case": "nothing", "verdicts": {"app": "exact", "gateway": "exact"}}]
    assert results[3]["refused"] == "too old"
    assert kept == results


def test_a_result_takes_the_place_of_that_of_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "results.json"
    monkeypatch.setattr(matrix, "RESULTS", written)
    first, second = ({"set": "litellm", "sdk": sdk, "mode": "both", "error": ""} for sdk in ("newest", "1.30.0"))
    for result in (first, second, {**first, "error": "exit 1"}):
        matrix.write(result)

    assert json.loads(written.read_text(encoding="utf-8"))["runs"] == [second, {**first, "error": "exit 1"}]
