"""A second factor set stands beside the figures of the ledger and is never mixed with them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_cases import open_ledger, sighting

from otel_carbon.cli.main import main
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.model import Usage
from otel_carbon.reports import Report, report_csv, report_document, summarise
from otel_carbon.reports.table import report_text

_SEED = "seed-carbon-llm-2025"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.db")
    opened.record(
        [
            sighting(1, model="mistral-large-2", provider="mistral_ai", usage=Usage(400, 0, 0, 600)),
            sighting(2, model="gpt-4o", adjusted_count=3.0, service="web"),
            sighting(3, model="claude-sonnet-4-5", provider="anthropic", usage=Usage(20_000, 500, 60, 1500)),
            sighting(4, model="never-heard-of", provider=None),
            sighting(5, usage=None),
        ]
    )
    yield opened
    opened.close()


def _report(ledger: Ledger, factor_set: str, by: tuple[str, ...] = ("model",)) -> Report:
    second = Estimator(FactorTables.bundled(), EstimatorSettings(factor_set=factor_set))
    return summarise(ledger, by=by, second=second)


def test_the_set_of_the_ledger_itself_gives_the_figures_of_the_ledger(ledger: Ledger) -> None:
    report = _report(ledger, "otel-carbon-2026.11")

    second = report.second_set
    assert second is not None
    assert second.totals.ratio == pytest.approx(1.0, rel=1e-11)
    assert report.totals.co2e_grams is not None
    assert second.totals.co2e_grams is not None
    assert second.totals.co2e_grams.low == pytest.approx(report.totals.co2e_grams.low, rel=1e-11)
    assert second.totals.co2e_grams.high == pytest.approx(report.totals.co2e_grams.high, rel=1e-11)
    assert second.why == (
        "The ledger rests on otel-carbon-2026.11 too. The two are alternatives for the same calls and never add up."
    )


def test_a_thousand_tokens_of_mistral_large_are_the_published_figure(ledger: Ledger) -> None:
    report = _report(ledger, _SEED)

    assert report.second_set is not None
    by_model = {group.keys["model"]: group for group in report.second_set.groups}
    mistral = by_model["mistral-large-2"].co2e_grams
    assert mistral is not None
    assert mistral.central == pytest.approx(2.85, rel=1e-12)
    assert by_model["mistral-large-2"].energy_wh is None


def test_the_figures_of_the_ledger_are_the_same_with_and_without(ledger: Ledger) -> None:
    alone = report_document(summarise(ledger, by=["model"]))
    beside = report_document(_report(ledger, _SEED))

    assert alone["second_set"] is None
    assert beside | {"second_set": None} == alone


def test_a_call_that_stands_for_three_counts_three_times(ledger: Ledger) -> None:
    second = _report(ledger, _SEED, ("service",)).second_set

    assert second is not None
    web = next(group for group in second.groups if group.keys["service"] == "web")
    assert web.calls == 3
    # 0.30 g per 1,000 tokens; the call has 1,200 in and 345 out
    assert web.co2e_grams is not None
    assert web.co2e_grams.central == pytest.approx(3 * 1.545 * 0.30, rel=1e-12)


def test_what_is_reversed_is_not_estimated(ledger: Ledger) -> None:
    ledger.record([sighting(11, response_id="r", trace=7, usage=Usage(1_000_000, 0, 0, 1))])
    ledger.record([sighting(12, response_id="r", trace=7, parent=11, usage=Usage(1_000_000, 0, 0, 1))])

    report = _report(ledger, "otel-carbon-2026.11")

    assert report.taken_back.lines == 1
    assert report.second_set is not None
    assert report.second_set.totals.ratio == pytest.approx(1.0, rel=1e-11)


def test_the_table_shows_both_with_the_warning(ledger: Ledger) -> None:
    text = report_text(_report(ledger, _SEED), "ledger.db", width=80)

    assert "The same calls by seed-carbon-llm-2025 (not added to the figures above)" in text
    assert "2.85 g" in text
    assert "Warning: seed-carbon-llm-2025: figures of a product page" in text
    assert "its fallback answered: otel-carbon-2026.11 for 2." in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_csv_has_columns_of_its_own_for_the_second_set(ledger: Ledger) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(_report(ledger, _SEED)))))

    mistral = next(row for row in rows if row["model"] == "mistral-large-2")
    assert mistral["second_factor_set"] == _SEED
    assert float(mistral["second_co2e_grams_central"]) == pytest.approx(2.85, rel=1e-12)
    assert mistral["second_energy_wh_central"] == ""


@pytest.mark.usefixtures("ledger")
def test_the_command_takes_the_id_of_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "ledger.db")

    assert main(["report", "--ledger", path, "--compare-set", _SEED, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["second_set"]["factor_set"] == _SEED
    assert main(["report", "--ledger", path, "--compare-set", "ecologit"]) == 2
    assert "unknown factor set 'ecologit'" in capsys.readouterr().err
