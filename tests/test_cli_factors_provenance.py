"""`factors explain` leads from a recorded figure to its publications, and redoes the arithmetic."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import EIGHT_O_CLOCK, estimator, open_ledger, sighting

from otel_carbon.cli.main import main
from otel_carbon.model import Usage
from otel_carbon.spans import mark_attributes


@pytest.fixture
def path(tmp_path: Path) -> str:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        ledger.record(
            [
                sighting(1),
                sighting(2, model="claude-sonnet-4-5", provider="anthropic", adjusted_count=3.0),
                sighting(3, usage=None),
            ]
        )
    return str(tmp_path / "ledger.db")


def _document(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["factors", "explain", *options, "--format", "json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("line", ["1", "2"])
def test_a_line_agrees_with_its_arithmetic(path: str, capsys: pytest.CaptureFixture[str], line: str) -> None:
    document = _document(capsys, "--ledger", path, "--line", line)

    assert document["agrees"] is True
    assert document["factor"]["set"] == "otel-carbon-2026.11"
    assert {step["step"] for step in document["working"]} >= {"grid intensity", "PUE", "total"}


def test_every_publication_has_address_date_and_licence(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = _document(capsys, "--ledger", path, "--line", "1")

    assert document["row"]["source_id"] in {source["id"] for source in document["sources"]}
    for source in document["sources"]:
        assert source["citation"]
        assert source["url"].startswith("https://") or source["url"] == "docs/methodology.md"
        assert source["date"]
        assert source["licence"]


def test_an_altered_figure_does_not_agree(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE lines SET co2e_grams_central = co2e_grams_central * 1.00001 WHERE seq = 1")
        connection.commit()

    assert main(["factors", "explain", "--ledger", path, "--line", "1"]) == 0
    assert "does NOT give the recorded figures" in capsys.readouterr().out


def test_a_span_names_its_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = _document(capsys, "--ledger", path, "--span", f"{1:032x}/{1:016x}")

    assert document["of"] == "line 1"
    assert document["agrees"] is True


def test_attributes_of_a_span_agree_to_their_six_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = sighting(1, usage=Usage(1200, 0, 0, 345)).call
    assert call is not None
    assert call.at_unix_nano == EIGHT_O_CLOCK
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 345,
        **mark_attributes(estimator().estimate(call)),
    }
    file = tmp_path / "span.json"
    file.write_text(json.dumps(attributes), encoding="utf-8")

    assert _document(capsys, "--attributes", str(file))["agrees"] is True

    file.write_text(json.dumps(mark_attributes(estimator().estimate(call))), encoding="utf-8")
    assert main(["factors", "explain", "--attributes", str(file)]) == 0
    out = capsys.readouterr().out
    assert "cannot be redone: there are no token counts" in out
    assert "docs/methodology.md" in out
    assert "CC BY 4.0" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--line", "99"], "line 99: the ledger has no such line"),
        (["--line", "3"], "line 3: it has no estimate (no_usage)"),
        (["--span", "abc"], "--span: 'abc' is not TRACE_ID/SPAN_ID"),
        (["--attributes", "/nowhere.json"], "--attributes: /nowhere.json cannot be read as JSON"),
    ],
)
def test_what_is_not_there_is_named(
    path: str, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(["factors", "explain", "--ledger", path, *options]) == 2
    assert words in capsys.readouterr().err


def test_a_source_id_leads_to_its_publication(capsys: pytest.CaptureFixture[str]) -> None:
    named = _sources(capsys, "uk-carbon-intensity-half-hourly")

    assert list(named) == ["uk-carbon-intensity-half-hourly", "ipcc-ar5-wg3-annex3"]
    assert named["ipcc-ar5-wg3-annex3"]["url"].endswith("ipcc_wg3_ar5_annex-iii.pdf")
    assert named["ipcc-ar5-wg3-annex3"]["verification"].startswith("PDF not read; life cycle (coal 820, gas 490")
    assert list(_sources(capsys, "csv:meter")) == ["csv:meter"]
    assert main(["factors", "explain", "--source", "electricitymaps-v4-hourly"]) == 0
    assert "https://api.electricitymaps.com/v4" in capsys.readouterr().out


def test_a_source_id_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["factors", "explain", "--source", "uk-carbon-intensity"]) == 2
    assert "did you mean 'uk-carbon-intensity-half-hourly'" in capsys.readouterr().err


def _sources(capsys: pytest.CaptureFixture[str], source_id: str) -> dict[str, dict[str, str]]:
    assert main(["factors", "explain", "--source", source_id, "--format", "json"]) == 0
    return {source["id"]: source for source in json.loads(capsys.readouterr().out)}
