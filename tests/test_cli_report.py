"""`otel-carbon report` as a person types it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import open_ledger, sighting

from otel_carbon.cli.main import main


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        ledger.record([sighting(1, tenant="acme"), sighting(2, model="gpt-4o-mini", start_s=90_000)])
    monkeypatch.setenv("OTEL_CARBON_DATA_DIR", str(tmp_path))
    return tmp_path


def test_without_options_it_reports_on_the_default_data_directory(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report"]) == 0

    out = capsys.readouterr().out
    assert "2026-11-23 20:00 to 2026-11-24 22:00 UTC" in out
    assert str(data_dir / "ledger.db") in out
    assert "gpt-4o-mini" in out


@pytest.mark.parametrize("option", ["--data-dir", "--ledger", "url"])
def test_a_ledger_can_be_named_in_three_ways(
    tmp_path: Path, data_dir: Path, option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_CARBON_DATA_DIR", str(tmp_path / "elsewhere"))
    file = data_dir / "ledger.db"
    words = {
        "--data-dir": ["--data-dir", str(data_dir)],
        "--ledger": ["--ledger", str(file)],
        "url": ["--ledger", f"sqlite:///{file}"],
    }[option]

    assert main(["report", *words, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["calls"] == 2


@pytest.mark.usefixtures("data_dir")
def test_json_and_csv_with_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--from", "2026-11-23", "--to", "2026-11-23", "--by", "day,tenant", "--tenant", "acme"]

    assert main(["report", *options, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert main(["report", *options, "--as-of", document["as_of"], "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))

    assert document["period"] == {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
    assert (row["day"], row["tenant"], row["calls"]) == ("2026-11-23", "acme", "1")
    assert float(row["co2e_grams_central"]) == document["totals"]["co2e_grams"]["central"]


@pytest.mark.usefixtures("data_dir")
def test_no_grouping(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--by", "", "--format", "json"]) == 0

    assert json.loads(capsys.readouterr().out)["groups"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--by", "colour"], "--by: 'colour' is not a dimension; choose from provider, model"),
        (["--from", "soon"], "--from: 'soon' is not a date or time"),
        (["--to", "31.12.2026"], "--to: '31.12.2026' is not a date or time"),
        (["--as-of", "later"], "--as-of: 'later' is not a date or time"),
        (["--ledger", "postgresql://host/db"], "keeps its ledger in SQLite"),
    ],
)
@pytest.mark.usefixtures("data_dir")
def test_wrong_input_is_named_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(["report", *options]) == 2

    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_missing_ledger_says_how_to_begin_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--data-dir", str(tmp_path)]) == 1

    assert f"there is no ledger at {tmp_path}/ledger.db: `otel-carbon demo` or" in capsys.readouterr().err


def test_a_damaged_ledger_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.db").write_bytes(b"nothing of the kind" * 1000)

    assert main(["report", "--data-dir", str(tmp_path)]) == 1

    err = capsys.readouterr().err
    assert "file is not a database" in err
    assert len(err.splitlines()) == 1


def test_a_report_does_not_disturb_a_writer(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(data_dir / "ledger.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert main(["report", "--format", "json"]) == 0
        writer.execute("COMMIT")

    assert json.loads(capsys.readouterr().out)["totals"]["calls"] == 2
