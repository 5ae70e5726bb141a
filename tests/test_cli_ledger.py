"""`otel-carbon ledger`: stats, verify, export."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import open_ledger, rows, sighting

from otel_carbon.cli.main import main
from otel_carbon.ledger import export
from otel_carbon.ledger.columns import COLUMN_NAMES


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        ledger.record([sighting(1, response_id="r"), sighting(3)], cursor=("ledger@j1", 12))
        ledger.record([sighting(2, response_id="r", parent=1, service='a "b", c')])
    return tmp_path


def test_stats_are_numbers_with_names(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "stats", "--data-dir", str(data_dir)]) == 0

    out = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert {
        name.strip(): value.strip() for name, value in out.items() if name.startswith(("lines", "spans", "cursor"))
    } == {
        "lines": "4, of which reversals: 1",
        "spans seen": "3, of which again with different content: 0",
        "cursor ledger@j1": "12",
    }


def test_a_sound_ledger_is_verified(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "verify", "--ledger", str(data_dir / "ledger.db")]) == 0

    assert capsys.readouterr().out == "sequence, hashes, reversals and roll-ups are right (lines: 4, spans: 3)\n"


def test_a_forged_ledger_is_not(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER lines_no_update")
        connection.execute("UPDATE lines SET service = 'somebody else' WHERE seq = 2")
        connection.commit()

    assert main(["ledger", "verify", "--data-dir", str(data_dir)]) == 1

    assert capsys.readouterr().out.splitlines()[0] == "line 2 was changed: its content does not give its hash"


@pytest.mark.parametrize("page_lines", [1, 3, 4, 5])
def test_an_export_that_waits_keeps_no_log_alive_and_ends_where_it_began(
    data_dir: Path, page_lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_PAGE_LINES", page_lines)
    checkpoints: list[tuple[int, int, int]] = []

    class Pager(io.StringIO):
        """Somebody who reads one line, while a gateway records and wants to begin its log again."""

        def write(self, text: str) -> int:
            number = len(checkpoints)
            writer.record([sighting(100 + number)])
            with closing(sqlite3.connect(data_dir / "ledger.db", timeout=0)) as other:
                checkpoints.append(other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
            return super().write(text)

    with closing(open_ledger(data_dir / "ledger.db")) as writer, closing(open_ledger(data_dir / "ledger.db")) as reader:
        pager = Pager()
        assert export.export_jsonl(reader, pager) == 4

    assert [json.loads(line)["seq"] for line in pager.getvalue().splitlines()] == [1, 2, 3, 4]
    assert checkpoints == [(0, 0, 0)] * 4


def test_the_export_has_every_line_in_full(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_ledger(data_dir / "ledger.db")) as ledger:
        expected = rows(ledger, "SELECT * FROM lines ORDER BY seq")

    assert main(["ledger", "export", "--data-dir", str(data_dir)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["ledger", "export", "--data-dir", str(data_dir), "--format", "csv"]) == 0
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))

    assert [tuple(line.get(name) for name in COLUMN_NAMES) for line in lines] == expected
    assert table[0] == list(COLUMN_NAMES)
    assert table[1:] == [["" if value is None else str(value) for value in row] for row in expected]


def test_without_an_action_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["ledger"])

    assert raised.value.code == 2
    assert "ACTION" in capsys.readouterr().err


def test_a_missing_ledger_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "verify", "--data-dir", str(tmp_path)]) == 1
    assert f"there is no ledger at {tmp_path}/ledger.db" in capsys.readouterr().err
