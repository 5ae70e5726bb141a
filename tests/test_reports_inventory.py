"""A report says where an inventory has the calls, what suppliers say of them, and what is emitted per unit of work."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import open_ledger, rows, sighting

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import AccountingRule, AccountingSettings, Estimator, EstimatorSettings, MarketFigure
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.reports import FunctionalUnit, functional_units, report_csv, report_document, summarise
from otel_carbon.reports.table import report_text

_RULES = (
    AccountingRule(scope=2, reason="own servers", service="batch"),
    AccountingRule(category=11, reason="sold with the product", service="shop"),
)
_FIGURE = MarketFigure("openai", 94.0, "fleet report", "2026-01-01")


def _open(path: Path, **settings: Any) -> Ledger:
    accounting = AccountingSettings(rules=_RULES, market_based=(_FIGURE,))
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(accounting=accounting, **settings))
    return Ledger.open(path / "ledger.db", estimator=estimator)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Four calls: two bought, one on own servers, one in a sold product; one of the bought by another provider."""
    opened = _open(tmp_path)
    opened.record(
        [
            sighting(1, user="ann"),
            sighting(2, user="bob", provider="anthropic", model="claude-sonnet-4-5"),
            sighting(3, user="ann", service="batch"),
            sighting(4, service="shop"),
        ]
    )
    yield opened
    opened.close()


def _sum(ledger: Ledger, column: str, condition: str = "1 = 1") -> float:
    (found,) = rows(ledger, f"SELECT SUM({column}) FROM lines WHERE {condition}")[0]
    assert isinstance(found, float)
    return found


def test_every_place_has_its_part_and_the_parts_come_to_the_total(ledger: Ledger) -> None:
    document = json.loads(json.dumps(report_document(summarise(ledger))))

    places = {(each["scope"], each["category"], each["part"]): each for each in document["accounting"]}
    assert {key: each["calls"] for key, each in places.items()} == {
        (3, 1, "total"): 2,
        (3, 11, "total"): 1,
        (2, None, "operational"): 1,
        (3, 2, "embodied"): 1,
    }
    assert places[2, None, "operational"]["reason"] == places[3, 2, "embodied"]["reason"] == "own servers"
    assert places[3, 1, "total"]["reason"].startswith("inference bought as a service is a purchased service")
    assert places[2, None, "operational"]["co2e_grams"]["central"] == pytest.approx(
        _sum(ledger, "co2e_operational_grams_central", "service = 'batch'"), rel=1e-11
    )
    central = sum(each["co2e_grams"]["central"] for each in places.values())
    assert central == pytest.approx(document["totals"]["co2e_grams"]["central"], rel=1e-11)


def test_what_a_set_does_not_give_apart_stays_in_scope_2(tmp_path: Path) -> None:
    opened = _open(tmp_path, factor_set="seed-carbon-llm-2025")
    opened.record([sighting(1, service="batch"), sighting(2, service="batch", usage=None)])
    (entry,) = summarise(opened).inventory
    opened.close()

    assert (entry.scope, entry.category, entry.part) == (2, None, "total")


@pytest.mark.parametrize("as_of", [None, "2099-01-01"])
def test_calls_are_grouped_and_narrowed_down_by_category(ledger: Ledger, as_of: str | None) -> None:
    grouped = summarise(ledger, as_of=as_of, by=["scope", "category"])
    only = summarise(ledger, as_of=as_of, where=["category=11"], by=[])
    none = summarise(ledger, as_of=as_of, where=["scope=2", "category="], by=[])

    assert {tuple(group.keys.values()): group.totals.calls for group in grouped.groups} == {
        ("3", "1"): 2,
        ("3", "11"): 1,
        ("2", None): 1,
    }
    assert (only.totals.calls, only.places, only.where) == (1, ("3.11",), (("category", "11"),))
    assert (only.coverage.seen_spans, only.coverage.counted) == (4, 1)
    assert any(note.startswith("Only calls of category 11; spans seen") for note in only.notes)
    assert none.totals.calls == 1
    assert any("life-cycle grid factors" in note for note in none.notes)


@pytest.mark.parametrize("condition", ["colour=red", "category"])
def test_a_condition_that_is_none_is_refused(ledger: Ledger, condition: str) -> None:
    with pytest.raises(ConfigError, match=r"^--where: "):
        summarise(ledger, where=[condition])


def test_suppliers_figures_stand_beside_the_total_with_what_they_cover(ledger: Ledger) -> None:
    document = report_document(summarise(ledger))

    market = document["market_based"]
    assert (market["calls"], market["share_of_calls"]) == (3, 0.75)
    assert market["sources"] == ["fleet report (valid from 2026-01-01 on)"]
    expected = _sum(ledger, "energy_wh_central", "provider = 'openai'") * 94.0 / 1000.0
    assert market["co2e_market_based_grams"]["central"] == pytest.approx(expected, rel=1e-11)
    assert market["location_based_grams"]["central"] == pytest.approx(
        _sum(ledger, "co2e_operational_grams_central", "provider = 'openai'"), rel=1e-11
    )
    assert document["totals"]["co2e_market_based_grams"] == market["co2e_market_based_grams"]
    assert document["totals"]["co2e_grams"]["central"] == pytest.approx(_sum(ledger, "co2e_grams_central"), rel=1e-11)


def test_without_a_suppliers_figure_there_is_nothing(tmp_path: Path) -> None:
    opened = open_ledger(tmp_path / "plain.db")
    opened.record([sighting(1)])
    document = report_document(summarise(opened))
    opened.close()

    assert document["market_based"] is document["totals"]["co2e_market_based_grams"] is None


def test_csv_and_table_say_it_too(ledger: Ledger) -> None:
    report = summarise(ledger, by=["service"])

    places = {row["service"]: row["accounting"] for row in csv.DictReader(io.StringIO(report_csv(report)))}
    (total,) = csv.DictReader(io.StringIO(report_csv(summarise(ledger, by=[]))))
    text = " ".join(report_text(report, "ledger.db").split())
    assert places == {"api": "3.1", "batch": "2", "shop": "3.11"}
    assert total["accounting"] == "2 3.1 3.11"
    assert "scope 2 (purchased electricity, operational part)" in text
    assert "by suppliers' own figures, for 75 % of the estimated calls, in no total; location-based" in text


def test_the_intensity_per_unit_is_the_emissions_over_the_units(ledger: Ledger) -> None:
    report = summarise(ledger, units=functional_units(["document=8", "user"]))

    document, user = report_document(report)["sci"]["units"]
    grams = _sum(ledger, "co2e_grams_central")
    of_users = _sum(ledger, "co2e_grams_central", '"user" IS NOT NULL')
    assert (document["name"], document["units"], document["counted"], document["share_of_calls"]) == (
        "document",
        8,
        "given",
        1.0,
    )
    assert document["per_unit_g"]["central"] == pytest.approx(grams / 8, rel=1e-11)
    assert (user["units"], user["counted"], user["calls"], user["share_of_calls"]) == (2, "distinct", 3, 0.75)
    assert user["per_unit_g"]["central"] == pytest.approx(of_users / 2, rel=1e-11)
    assert "per user (of 2, which 75 % of the calls name)" in " ".join(report_text(report, "ledger.db").split())


def test_a_unit_that_no_call_names_has_no_intensity(ledger: Ledger) -> None:
    (unit,) = report_document(summarise(ledger, units=functional_units(["conversation"])))["sci"]["units"]

    assert (unit["units"], unit["per_unit_g"], unit["share_of_calls"]) == (0, None, 0.0)


def test_a_set_without_the_terms_has_no_intensity_per_unit_and_says_so(tmp_path: Path) -> None:
    opened = _open(tmp_path, factor_set="seed-carbon-llm-2025")
    opened.record([sighting(1)])
    report = summarise(opened, units=functional_units(["document=8"]))
    opened.close()

    assert report.sci is None
    assert any(note.startswith("No carbon intensity per functional unit") for note in report.notes)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["documents"], "'documents' is neither NAME=COUNT, such as document=1200, nor one of service, environment"),
        (["document=0"], "document must be a number above zero, not '0'"),
        (["document=many"], "document must be a number above zero, not 'many'"),
        (["document=inf"], "document must be a number above zero, not 'inf'"),
        (["1=2"], "'1' cannot name a unit"),
        (["call=2"], "'call' cannot name a unit"),
        (["a=1", "a=2"], "'a' stands twice"),
    ],
)
def test_a_unit_that_is_none_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^--functional-unit: {message}"):
        functional_units(texts)


def test_units_are_read_with_or_without_a_count() -> None:
    assert functional_units(["document = 1200", "tenant"]) == (
        FunctionalUnit("document", 1200.0),
        FunctionalUnit("tenant", None),
    )


def test_foundations_lead_from_the_totals_to_rows_grids_and_publications(ledger: Ledger) -> None:
    document = json.loads(json.dumps(report_document(summarise(ledger))))

    used = {(each["factor_set"], each["factor"], each["grid_source"]) for each in document["foundations"]}
    sources = {source["id"]: source for source in document["sources"]}
    assert used == {("otel-carbon-2026.11", "frontier", "ember-owid-2025-via-ecologits")}
    for each in document["foundations"]:
        assert {each["grid_source"]} <= set(each["source_ids"]) <= sources.keys()
    assert all(source["citation"] and source["url"] and source["licence"] for source in sources.values())
    for quantity in ("co2e_grams", "energy_wh"):
        added = sum(each[quantity]["central"] for each in document["foundations"])
        assert added == pytest.approx(document["totals"][quantity]["central"], rel=1e-11)


def test_an_equivalent_leads_to_its_grams_and_their_publication(ledger: Ledger) -> None:
    document = json.loads(json.dumps(report_document(summarise(ledger))))

    things = {thing["key"]: thing for thing in document["equivalents_rest_on"]}
    assert things.keys() == document["equivalents"].keys()
    assert things["phone_charge"]["grams_per_unit"] == 12.4
    assert things["phone_charge"]["url"].startswith("https://www.epa.gov/")
    for key, number in document["equivalents"].items():
        grams = number * things[key]["grams_per_unit"]
        assert grams == pytest.approx(document["totals"]["co2e_grams"]["central"], rel=1e-11)


def test_an_intensity_of_the_operator_is_named_as_such(tmp_path: Path) -> None:
    opened = _open(tmp_path, grid_intensity_g_per_kwh=41.0)
    opened.record([sighting(1)])
    sources = {source.id: source for source in summarise(opened).sources}
    opened.close()

    assert sources["user"].citation == "A figure that the operator gave as a setting"
    assert sources["user"].verification == "not verified"


def test_a_set_that_is_not_here_is_named_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_OWN_SET, encoding="utf-8")
    opened = _open(tmp_path, factor_set="mine-1", factor_sets=(str(path),))
    opened.record([sighting(1)])
    without = summarise(opened)
    with_it = summarise(opened, tables=FactorTables.bundled().with_factor_sets([str(path)]))
    opened.close()

    assert any(note.startswith("The sources of mine-1 are not known here") for note in without.notes)
    assert "meter" in {source.id for source in with_it.sources}
    assert not any("not known here" in note for note in with_it.notes)


_OWN_SET = """
schema = 1
[set]
id = "mine-1"
version = "1"
title = "my meter"
licence = "own"
source_id = "meter"
valid_from = "2026-01-01"
basis = "per_token"
energy_boundary = "it"
token_scope = "split"
grid = "default"
pue = "default"
embodied = "default"
water = "default"
unmatched = "none"
[[source]]
id = "meter"
citation = "Meter of the rack, October 2026"
url = "https://example.com/meter"
date = "2026-10-31"
licence = "own"
[[model]]
name = "gpt-4o"
match = ["gpt-4o"]
input_wh_per_1m = 10
output_wh_per_1m = 100
confidence = "measured"
source_id = "meter"
"""
