"""Water, primary energy and abiotic depletion: on the line, in the sums and in the export, where a set has them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_cases import as_dict, open_ledger, sighting

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.canonical import encode, leaf_hash
from otel_carbon.ledger.export import export_jsonl
from otel_carbon.ledger.verify import verify
from otel_carbon.model import Footprint, Interval
from otel_carbon.reports import report_csv, report_document, summarise

_ECOLOGITS = Estimator(FactorTables.bundled(), EstimatorSettings(factor_set="ecologits-0.11.3", water=True))
_SPARSE = ("water_liters", "primary_energy_mj", "abiotic_depletion_kgsbeq")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", estimator=_ECOLOGITS)
    yield opened
    opened.close()


def _footprint(number: int) -> Footprint:
    call = sighting(number).call
    assert call is not None
    outcome = _ECOLOGITS.estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize("quantity", _SPARSE)
def test_a_line_has_what_the_set_gives(ledger: Ledger, quantity: str) -> None:
    ledger.record([sighting(1)])
    expected: Interval = getattr(_footprint(1), quantity)

    line = as_dict(ledger, 1)

    assert [line[f"{quantity}_{bound}"] for bound in ("low", "central", "high")] == [
        expected.low,
        expected.central,
        expected.high,
    ]
    assert line["hash"] == leaf_hash(encode(line))


@pytest.mark.parametrize("quantity", _SPARSE)
def test_a_report_adds_them_up_and_a_reversal_takes_them_back(ledger: Ledger, quantity: str) -> None:
    ledger.record([sighting(1, response_id="r"), sighting(2), sighting(3, response_id="r2")])
    ledger.record([sighting(4, response_id="r", parent=1), sighting(5, response_id="r2", parent=3)])

    report = summarise(ledger, by=[])

    expected: Interval = getattr(_footprint(1), quantity)
    found = report_document(report)["totals"][quantity]
    assert report.taken_back.lines == 2
    assert found == pytest.approx(
        {"low": 3 * expected.low, "central": 3 * expected.central, "high": 3 * expected.high}, rel=1e-11
    )
    (row,) = csv.DictReader(io.StringIO(report_csv(report)))
    assert float(row[f"{quantity}_central"]) == found["central"]
    assert not verify(ledger).problems


def test_an_export_carries_them(ledger: Ledger) -> None:
    ledger.record([sighting(1)])
    file = io.StringIO()

    export_jsonl(ledger, file)

    assert json.loads(file.getvalue())["primary_energy_mj_central"] == getattr(
        _footprint(1).primary_energy_mj, "central", None
    )


def test_they_are_null_where_the_set_has_none(tmp_path: Path) -> None:
    default = open_ledger(tmp_path / "default.db")
    default.record([sighting(1)])
    document = report_document(summarise(default))
    default.close()

    assert [document["totals"][quantity] for quantity in _SPARSE] == [None, None, None]
