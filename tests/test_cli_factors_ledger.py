"""`factors diff A B --ledger` tells what another set changes for a ledger, and changes nothing itself."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import open_ledger, sighting

from otel_carbon.cli.main import main
from otel_carbon.factors.files import DATA_DIRECTORY
from otel_carbon.model import Usage

_DEFAULT = "otel-carbon-2026.11"


@pytest.fixture
def path(tmp_path: Path) -> str:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        ledger.record(
            [
                sighting(1, model="gpt-4o", usage=Usage(400, 0, 0, 600)),
                sighting(2, model="mistral-large-2", provider="mistral_ai", usage=Usage(400, 0, 0, 600)),
                sighting(3, model="gpt-4o-mini", start_s=90_000, usage=Usage(400, 0, 0, 600)),
            ]
        )
    return str(tmp_path / "ledger.db")


def _lines(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
    assert main(["factors", "diff", *options]) == 0
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}


def test_a_set_changes_nothing_against_itself(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, _DEFAULT, _DEFAULT, "--ledger", path)

    assert [lines[name].split()[-1] for name in ("gpt-4o", "gpt-4o-mini", "mistral-large-2", "total")] == ["none"] * 4


def test_a_thousand_tokens_cost_what_the_second_set_publishes(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, "seed-model-class-kwh", "seed-carbon-llm-2025", "--ledger", path)

    assert "300 mgCO2e" in lines["gpt-4o"] or "0.300 gCO2e" in lines["gpt-4o"]
    assert "2.85 gCO2e" in lines["mistral-large-2"]
    assert lines["total"].split()[1] == "3"


def test_a_period_chooses_the_calls(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _lines(capsys, _DEFAULT, "seed-carbon-llm-2025", "--ledger", path, "--from", "2026-11-24")

    assert lines["total"].split()[1] == "1"
    assert "gpt-4o" not in lines


def test_a_new_version_in_a_file_shows_its_change(
    tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (DATA_DIRECTORY / "sets" / "seed-carbon-llm-2025.toml").read_text(encoding="utf-8")
    changed = text.replace('id = "seed-carbon-llm-2025"', 'id = "mine-2027.01"').replace(
        "total_g_per_1k = 2.85", "total_g_per_1k = 5.7"
    )
    file = tmp_path / "mine-2027.01.toml"
    file.write_text(changed, encoding="utf-8")

    lines = _lines(capsys, "seed-carbon-llm-2025", str(file), "--ledger", path)

    assert lines["mistral-large-2"].endswith("+100.00 %")
    assert lines["gpt-4o"].endswith("none")


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["factors", "diff", _DEFAULT, _DEFAULT, "--ledger", str(tmp_path / "none.db")]) == 1
    assert f"there is no ledger at {tmp_path}/none.db" in capsys.readouterr().err
