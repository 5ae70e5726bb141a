"""The Software Carbon Intensity of a period is that of its estimated calls, per call and per thousand tokens."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import estimator, open_ledger, sighting

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.sci import sci_of_call
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.model import Footprint
from otel_carbon.reports import report_document, summarise


def test_equal_calls_have_the_intensity_of_one_of_them_whatever_has_no_tokens(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        ledger.record([sighting(1), sighting(2), sighting(3, adjusted_count=2.0), sighting(4, usage=None)])
        sci = report_document(summarise(ledger))["sci"]
    call = sighting(1).call
    assert call is not None
    assert call.usage is not None
    outcome = estimator().estimate(call)
    assert isinstance(outcome, Footprint)
    one = sci_of_call(outcome, call.usage)
    assert one is not None

    assert sci["per_call_g"]["low"] == pytest.approx(one.per_call_g.low, rel=1e-11)
    assert sci["per_call_g"]["central"] == pytest.approx(one.per_call_g.central, rel=1e-11)
    assert sci["per_1k_tokens_g"]["central"] == pytest.approx(one.per_1k_tokens_g.central, rel=1e-11)
    assert sci["per_1k_tokens_g"]["high"] == pytest.approx(one.per_1k_tokens_g.high, rel=1e-11)


def test_a_set_without_the_two_terms_has_no_intensity(tmp_path: Path) -> None:
    seed = Estimator(FactorTables.bundled(), EstimatorSettings(factor_set="seed-carbon-llm-2025"))
    with closing(Ledger.open(tmp_path / "ledger.db", estimator=seed)) as ledger:
        ledger.record([sighting(1)])
        assert summarise(ledger).sci is None


def test_an_empty_ledger_has_no_intensity(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert summarise(ledger).sci is None
