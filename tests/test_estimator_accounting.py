"""Where an inventory has a call: what is allowed, what is refused and why, and which figure of a supplier applies."""

from __future__ import annotations

from typing import Any

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import AccountingRule, AccountingSettings, MarketFigure, settings_from_environment
from otel_carbon.estimator.accounting import Classification, classify
from otel_carbon.estimator.market import find_figure, market_based_grams
from otel_carbon.model import Attribution, Interval


def _figure(**changed: Any) -> MarketFigure:
    given = {"provider": "gcp.vertex_ai", "g_per_kwh": 94.0, "source": "report 2025", "valid_from": "2024-01-01"}
    return MarketFigure(**(given | changed))


def test_a_call_is_a_purchased_service_unless_somebody_says_otherwise() -> None:
    assert classify(AccountingSettings(), Attribution(), "openai", None) == Classification(3, 1, None)


@pytest.mark.parametrize("category", [8, 11, 13])
def test_another_category_is_allowed_with_its_reason(category: int) -> None:
    settings = AccountingSettings(category=category, reason="so says our boundary")

    assert classify(settings, Attribution(), None, None) == Classification(3, category, "so says our boundary")


def test_scope_2_has_no_category() -> None:
    settings = AccountingSettings(scope=2, reason="own servers")

    assert classify(settings, Attribution(), None, None) == Classification(2, None, "own servers")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scope": 1, "reason": "x"}, r"^scope: must be 2 or 3, not 1 \(scope 1 is fuel that you burn yourself"),
        ({"scope": 4, "reason": "x"}, r"^scope: must be 2 or 3, not 4: scope 2 is electricity bought for hardware"),
        ({"category": 4, "reason": "x"}, r"^category: must be 1 \(purchased.*or 13 \(.*\), not 4"),
        ({"category": 2, "reason": "x"}, r"^category: 2 is the making of hardware that you own.*write scope: 2"),
        ({"category": 3, "reason": "x"}, r"^category: 3 is the fuel and the grid losses"),
        ({"scope": 2, "category": 1, "reason": "x"}, r"^category: 1 cannot stand with scope 2"),
        ({"category": 11}, r"^reason: is missing; say why these calls are scope 3, category 11"),
        ({"scope": 2, "reason": " "}, r"^reason: is missing; say why these calls are scope 2"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does_and_why(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AccountingSettings(**given)


def test_a_rule_is_held_to_the_same_and_must_name_its_calls() -> None:
    with pytest.raises(ConfigError, match=r"^category: must be"):
        AccountingRule(category=5, reason="x", provider="openai")
    with pytest.raises(ConfigError, match=r"one or more of provider, region, service"):
        AccountingRule(scope=2, reason="x")


def test_the_first_rule_that_fits_in_everything_it_gives_decides() -> None:
    own = AccountingRule(scope=2, reason="own servers", provider="ollama", environment="prod")
    sold = AccountingRule(category=11, reason="sold", tenant="acme")
    settings = AccountingSettings(rules=(own, sold))

    def place(provider: str, **who: str) -> tuple[int, int | None]:
        found = classify(settings, Attribution(**who), provider, None)
        return found.scope, found.category

    assert place("ollama", environment="prod", tenant="acme") == (2, None)
    assert place("ollama", environment="test", tenant="acme") == (3, 11)
    assert place("ollama", environment="test") == (3, 1)


def test_the_environment_sets_it_and_its_errors_name_the_variable() -> None:
    given = {"OTEL_CARBON_ACCOUNTING_SCOPE": "2", "OTEL_CARBON_ACCOUNTING_REASON": "own servers"}

    assert settings_from_environment(given).accounting == AccountingSettings(2, None, "own servers")
    with pytest.raises(ConfigError, match=r"^OTEL_CARBON_ACCOUNTING_CATEGORY must be 1 "):
        settings_from_environment({"OTEL_CARBON_ACCOUNTING_CATEGORY": "4"})
    with pytest.raises(ConfigError, match=r"^OTEL_CARBON_ACCOUNTING_SCOPE must be a whole number, not 'two'"):
        settings_from_environment({"OTEL_CARBON_ACCOUNTING_SCOPE": "two"})


def test_market_based_emissions_are_energy_times_the_figure() -> None:
    # Google's fleet in 2024: 94 g/kWh market-based. 250 Wh (200 to 1000) are 23.5 g (18.8 to 94).
    found = market_based_grams(Interval(200.0, 250.0, 1000.0), 94.0)

    assert (found.low, found.central, found.high) == pytest.approx((18.8, 23.5, 94.0), rel=1e-12)


def test_a_figure_holds_for_its_provider_region_and_days() -> None:
    general = _figure(valid_to="2025-01-01")
    local = _figure(region="europe-west1", g_per_kwh=20.0)
    figures = (general, local)

    def found(provider: str | None, region: str | None, at: str) -> MarketFigure | None:
        return find_figure(figures, provider, region, f"{at}T00:00:00.000000Z")

    assert found("gcp.vertex_ai", "us-east4", "2024-01-01") is general
    assert found("gcp.vertex_ai", None, "2024-12-31") is general
    assert found("gcp.vertex_ai", "us-east4", "2025-01-01") is None
    assert found("gcp.vertex_ai", "us-east4", "2023-12-31") is None
    assert found("gcp.vertex_ai", "europe-west1", "2024-06-01") is local
    assert found("openai", "europe-west1", "2024-06-01") is None
    assert found(None, None, "2024-06-01") is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"provider": " "}, "^provider: must be named"),
        ({"g_per_kwh": -1.0}, "^g_per_kwh: must be from 0 to 3000"),
        ({"g_per_kwh": float("nan")}, "^g_per_kwh: must be from 0 to 3000"),
        ({"source": ""}, "^source: must say where"),
        ({"valid_from": "2024"}, "^valid_from: must be a day such as 2024-01-01, not '2024'"),
        ({"valid_from": "2024-13-01"}, "^valid_from: must be a day"),
        ({"valid_to": "2024-01-01"}, "^valid_to: must be after valid_from"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _figure(**changed)


def test_two_figures_for_one_day_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"market_based: has two figures for gcp\.vertex_ai on one day"):
        AccountingSettings(market_based=(_figure(), _figure(valid_from="2025-01-01")))

    AccountingSettings(market_based=(_figure(valid_to="2025-01-01"), _figure(valid_from="2025-01-01")))
