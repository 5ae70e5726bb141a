"""Scope, category and market-based emissions on the lines of a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_cases import as_dict, open_ledger, sighting

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import AccountingRule, AccountingSettings, Estimator, EstimatorSettings, MarketFigure
from otel_carbon.factors import FactorTables
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.canonical import encode, leaf_hash
from otel_carbon.ledger.verify import verify
from otel_carbon.pipeline.component import Kind

_FIGURE = MarketFigure("openai", 94.0, "fleet report", "2026-01-01", "2026-11-24")


def _ledger(path: Path, accounting: AccountingSettings, **settings: Any) -> Ledger:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(accounting=accounting, **settings))
    return Ledger.open(path / "ledger.db", estimator=estimator)


def test_every_line_says_where_an_inventory_has_it(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")
    ledger.record([sighting(1), sighting(2, usage=None)])

    for seq in (1, 2):
        line = as_dict(ledger, seq)
        assert (line["ghg_scope"], line["ghg_category"], line["ghg_reason"]) == ("3", "1", None)
        assert line["co2e_market_based_grams_central"] is line["market_based_source"] is None
    ledger.close()


def test_a_rule_puts_some_calls_elsewhere_with_the_reason_on_the_line(tmp_path: Path) -> None:
    rule = AccountingRule(scope=2, reason="own servers", service="batch")
    ledger = _ledger(tmp_path, AccountingSettings(rules=(rule,)))
    ledger.record([sighting(1), sighting(2, service="batch", response_id="r")])
    ledger.record([sighting(3, service="batch", response_id="r", parent=2)])

    places = [(line["kind"], line["ghg_scope"], line["ghg_category"], line["ghg_reason"]) for line in _lines(ledger)]
    assert places == [
        ("call", "3", "1", None),
        ("call", "2", None, "own servers"),
        ("reversal", "2", None, "own servers"),
        ("call", "2", None, "own servers"),
    ]
    assert not verify(ledger).problems
    ledger.close()


def test_a_suppliers_figure_gives_a_column_of_its_own_on_the_days_it_is_valid(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path, AccountingSettings(market_based=(_FIGURE,)))
    day_s = 24 * 3600.0
    ledger.record([sighting(1), sighting(2, start_s=day_s), sighting(3, provider="anthropic"), sighting(4, usage=None)])

    first, second, third, fourth = _lines(ledger)
    expected = [first[f"energy_wh_{bound}"] * 94.0 / 1000.0 for bound in ("low", "central", "high")]
    found = [first[f"co2e_market_based_grams_{bound}"] for bound in ("low", "central", "high")]
    assert found == pytest.approx(expected, rel=1e-12)
    assert first["market_based_g_per_kwh"] == 94.0
    assert first["market_based_source"] == "fleet report (valid from 2026-01-01 to 2026-11-24)"
    assert first["co2e_grams_central"] == second["co2e_grams_central"]
    for line in (second, third, fourth):
        assert line["co2e_market_based_grams_central"] is line["market_based_source"] is None
    assert all(line["hash"] == leaf_hash(encode(line)) for line in (first, second, third, fourth))
    ledger.close()


def test_without_energy_there_is_nothing_to_apply_a_figure_to(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path, AccountingSettings(market_based=(_FIGURE,)), factor_set="seed-carbon-llm-2025")
    ledger.record([sighting(1)])

    assert as_dict(ledger, 1)["market_based_source"] is None
    ledger.close()


_CONFIG = """
receivers: {otlp: {protocols: {grpc: }}}
processors: {carbon: {accounting: ACCOUNTING}}
exporters: {ledger: }
service: {pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [ledger]}}}
"""


def _accounting(text: str) -> AccountingSettings:
    config = parse_config(_CONFIG.replace("ACCOUNTING", text), {}, Catalogue.bundled(), source="gateway.yaml")
    found: AccountingSettings = config.components[Kind.PROCESSOR]["carbon"].config.estimator_settings().accounting
    return found


def test_a_gateway_reads_it_from_its_config_dates_without_quotes_too() -> None:
    found = _accounting(
        "{rules: [{provider: ollama, scope: 2, reason: own servers}], market_based: [{provider: openai, g_per_kwh: 94,"
        " source: fleet report, valid_from: 2026-01-01, valid_to: 2026-11-24}]}"
    )

    rule = AccountingRule(scope=2, reason="own servers", provider="ollama")
    assert found == AccountingSettings(rules=(rule,), market_based=(_FIGURE,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{category: 4, reason: x}", r"processors::carbon::accounting::category: must be 1 \(purchased"),
        ("{scope: 2}", "processors::carbon::accounting::reason: is missing"),
        ("{rules: [{tenant: a, category: 2, reason: x}]}", r"accounting::rules\[0\]::category: 2 is the making of"),
        ("{market_based: [{provider: openai}]}", r"accounting::market_based\[0\]::g_per_kwh: is missing"),
        ("{market_based: [{provider: a, g_per_kwh: 1, source: s, valid_from: x}]}", r"\[0\]::valid_from: must be a"),
    ],
)
def test_an_error_of_the_config_names_its_path(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _accounting(text)


def _lines(ledger: Ledger) -> list[dict[str, Any]]:
    with ledger.snapshot() as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM lines").fetchone()
    return [as_dict(ledger, seq) for seq in range(1, count + 1)]
