"""A report says what the ledger holds: no more, no less, and the same thing whenever it is asked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_cases import estimator, open_ledger, parent_sighting, rows, sighting

from otel_carbon.errors import ConfigError
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.verify import verify
from otel_carbon.model import GUESSED_USAGE, Footprint, Interval, Mark, Status, Usage
from otel_carbon.reports import BY, report_csv, report_document, summarise

_HOUR = 3600.0
_DAY = 24 * _HOUR


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """One of everything: three models, two days, two tenants, parents, a duplicate, a failure, no usage."""
    ledger.record(
        [
            sighting(1, tenant="acme", response_id="r1"),
            sighting(2, tenant="acme", response_id="r1", parent=1),
            sighting(3, model="gpt-4o-mini", tenant="acme", environment="prod", start_s=_HOUR),
            sighting(4, model="gpt-4o-mini", start_s=_DAY),
            sighting(5, model="never-heard-of", provider=None, start_s=_DAY + _HOUR),
            sighting(6, usage=None),
            sighting(7, usage=None, failed=True),
            parent_sighting(8),
            parent_sighting(9),
        ]
    )
    return ledger


def _grams(number: int, model: str = "gpt-4o", provider: str | None = "openai", start_s: float = 0.0) -> Interval:
    call = sighting(number, model=model, provider=provider, start_s=start_s).call
    assert call is not None
    outcome = estimator().estimate(call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    return outcome.co2e_grams


def test_the_document_has_the_shape_of_the_interface(filled: Ledger) -> None:
    document = json.loads(json.dumps(report_document(summarise(filled))))

    assert document["period"] == {"from": "2026-11-23T20:00:00Z", "to": "2026-11-24T22:00:00Z"}
    assert document["by"] == ["provider", "model"]
    assert document["totals"] | {"energy_wh": 0, "co2e_grams": 0} == document["totals"] | {
        "calls": 5,
        "input_tokens": 4800,
        "cache_read_tokens": 2000,
        "cache_write_tokens": 0,
        "output_tokens": 1380,
        "reasoning_tokens": 256,
        "energy_wh": 0,
        "co2e_grams": 0,
    }
    assert document["coverage"] == {
        "seen_spans": 9,
        "counted": 5,
        "duplicates": 1,
        "no_usage": 1,
        "failed": 1,
        "unknown_model": 0,
        "sampled_calls": 0,
        "sampling_refused": 0,
        "parents": 2,
        "conflicts": 0,
        "claims_differ": 0,
        "guessed_usage": 0,
    }
    assert document["factor_sets"] == ["otel-carbon-2026.11"]
    assert set(document["totals"]["co2e_grams"]) == {"low", "central", "high"}
    assert set(document["groups"][0]) == {"provider", "model", *document["totals"]}
    assert sum(document["confidence_share"].values()) == pytest.approx(1.0, rel=1e-12)


def test_totals_are_the_sums_of_the_estimates(filled: Ledger) -> None:
    estimates = [
        _grams(2),
        _grams(3, "gpt-4o-mini"),
        _grams(4, "gpt-4o-mini", start_s=_DAY),
        _grams(5, "never-heard-of", None),
    ]

    totals = summarise(filled).totals

    assert totals.co2e_grams is not None
    assert totals.co2e_grams.low == pytest.approx(sum(each.low for each in estimates), rel=1e-11)
    assert totals.co2e_grams.central == pytest.approx(sum(each.central for each in estimates), rel=1e-11)
    assert totals.co2e_grams.high == pytest.approx(sum(each.high for each in estimates), rel=1e-11)


@pytest.mark.parametrize("dimension", BY)
def test_the_groups_of_every_dimension_add_up_to_the_totals(filled: Ledger, dimension: str) -> None:
    report = summarise(filled, by=[dimension])

    assert report.totals.co2e_grams is not None
    assert sum(group.totals.calls for group in report.groups) == report.totals.calls
    assert sum(group.totals.input_tokens for group in report.groups) == report.totals.input_tokens
    grams = [group.totals.co2e_grams.central for group in report.groups if group.totals.co2e_grams is not None]
    assert sum(grams) == pytest.approx(report.totals.co2e_grams.central, rel=1e-11)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("model", {"gpt-4o": 2, "gpt-4o-mini": 2, "never-heard-of": 1}),
        ("provider", {"openai": 4, None: 1}),
        ("tenant", {"acme": 2, None: 3}),
        ("environment", {"prod": 1, None: 4}),
        ("day", {"2026-11-23": 3, "2026-11-24": 2}),
        ("month", {"2026-11": 5}),
        ("hour", {f"2026-11-{time}:00Z": n for time, n in (("23T20", 2), ("23T21", 1), ("24T20", 1), ("24T21", 1))}),
        ("confidence", {"class_default": 3, "low": 1, None: 1}),
        ("source", {"otlp": 5}),
    ],
)
def test_calls_by_a_dimension(filled: Ledger, dimension: str, expected: dict[str | None, int]) -> None:
    groups = summarise(filled, by=[dimension]).groups

    assert {group.keys[dimension]: group.totals.calls for group in groups} == expected


def test_time_goes_forward_and_the_largest_comes_first(filled: Ledger) -> None:
    groups = summarise(filled, by=["model", "day"]).groups

    assert [(group.keys["day"], group.keys["model"]) for group in groups] == [
        ("2026-11-23", "gpt-4o"),
        ("2026-11-23", "gpt-4o-mini"),
        ("2026-11-24", "never-heard-of"),
        ("2026-11-24", "gpt-4o-mini"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "calls"),
    [
        ("2026-11-23", "2026-11-23", 3),
        ("2026-11-24", None, 2),
        (None, "2026-11-24", 5),
        ("2026-11-23T21:00:00Z", "2026-11-24T21:00:00Z", 2),
        ("2026-11-23T22:00:00+01:00", "2026-11-23T23:00:00+01:00", 1),
        ("2026-11-23T20:30", "2026-11-24T20:00:01", 2),
        ("2027-01-01", None, 0),
        ("0001-01-01", "9999-12-31", 5),
    ],
)
def test_a_period_holds_the_calls_that_began_in_it(
    filled: Ledger, start: str | None, end: str | None, calls: int
) -> None:
    assert summarise(filled, start, end).totals.calls == calls


@pytest.mark.parametrize(("start", "end"), [(None, None), ("2026-11-23", "2026-11-24"), ("2026-11-24", None)])
def test_roll_ups_and_lines_give_the_same_report(filled: Ledger, start: str | None, end: str | None) -> None:
    by = ("tenant", "model", "day")
    from_rollups = summarise(filled, start, end, by=by)

    from_lines = summarise(filled, start, end, as_of=from_rollups.as_of, by=by)

    assert report_document(from_lines) == report_document(from_rollups)


@pytest.mark.parametrize("dimension", ["agent", "user", "conversation"])
def test_calls_are_grouped_by_agent_user_and_conversation(ledger: Ledger, dimension: str) -> None:
    ledger.record([sighting(1, **{dimension: "a"}), sighting(2, **{dimension: "b"}), sighting(3, **{dimension: "b"})])
    ledger.record([sighting(4)])

    report = summarise(ledger, by=[dimension])

    assert [(group.keys[dimension], group.totals.calls) for group in report.groups] == [("b", 2), (None, 1), ("a", 1)]
    assert report.totals == summarise(ledger, by=[]).totals


def test_as_of_gives_the_report_of_that_moment_after_reversals(ledger: Ledger) -> None:
    ledger.record([sighting(1, response_id="r"), sighting(2), sighting(3, usage=None, failed=True)])
    before = summarise(ledger)
    ledger.record([sighting(4, response_id="r", parent=1, usage=Usage(100, 0, 0, 10)), sighting(5, start_s=60)])
    after = summarise(ledger)

    again = summarise(ledger, as_of=before.as_of)

    assert report_document(again) == report_document(before)
    assert (after.totals.calls, after.coverage.duplicates, after.taken_back.lines) == (3, 1, 1)
    assert (before.totals.calls, before.coverage.duplicates, before.taken_back.lines) == (2, 0, 0)


def test_views_and_report_say_the_same(filled: Ledger) -> None:
    report = summarise(filled, by=["provider", "model"])
    by_view = rows(filled, "SELECT provider, model, calls, input_tokens, co2e_grams_central FROM by_model")

    assert [(provider or None, model, calls, tokens) for provider, model, calls, tokens, _ in by_view] == [
        (group.keys["provider"], group.keys["model"], group.totals.calls, group.totals.input_tokens)
        for group in report.groups
    ]
    of_report = [group.totals.co2e_grams.central for group in report.groups if group.totals.co2e_grams is not None]
    assert [grams for *_, grams in by_view] == pytest.approx(of_report, rel=1e-11)


def test_one_tenant_sees_only_its_own(filled: Ledger) -> None:
    report = summarise(filled, tenant="acme")

    assert (report.totals.calls, report.coverage.seen_spans, report.coverage.duplicates) == (2, 3, 1)
    assert summarise(filled, tenant="nobody").totals.calls == 0


def test_sampled_calls_are_counted_for_what_they_stand_for_and_named(ledger: Ledger) -> None:
    ledger.record([sighting(1), sighting(2, adjusted_count=10.0), sighting(3, adjusted_count=2.5)])

    report = summarise(ledger)

    assert (report.totals.calls, report.coverage.counted, report.coverage.sampled_calls) == (13.5, 3, 2)
    assert report.notes == ("2 calls recorded under head sampling: each stands for several, and is counted so.",)


def test_an_implausible_sampling_probability_counts_once_and_is_named(ledger: Ledger) -> None:
    most = 2.0**20
    ledger.record([sighting(1, adjusted_count=2.0**56), sighting(2, adjusted_count=most), sighting(3)])

    report = summarise(ledger)

    assert (report.totals.calls, report.totals.input_tokens) == (most + 2, 1200 * (1_048_576 + 2))
    assert (report.coverage.sampled_calls, report.coverage.sampling_refused) == (1, 1)
    assert report.notes[-1] == "1 call with an implausible sampling probability: each counts once."
    with ledger.snapshot() as connection:
        assert connection.execute("SELECT adjusted_count FROM lines WHERE seq = 1").fetchone() == (2.0**56,)
    assert verify(ledger).problems == ()


def test_conflicts_and_differing_claims_are_reported(ledger: Ledger) -> None:
    ledger.record([sighting(1), sighting(2, mark=Mark(Status.ESTIMATED, co2e_grams=Interval.exact(99.0)))])
    ledger.record([sighting(1, usage=Usage(1))])

    report = summarise(ledger)

    assert (report.coverage.conflicts, report.coverage.claims_differ) == (1, 1)
    assert report.notes == (
        "1 call seen again with different content: the first one counts.",
        "1 call carried another figure from an earlier stage: the ledger's own one counts.",
    )


def test_an_empty_ledger_has_a_report_of_zeros(ledger: Ledger) -> None:
    document = report_document(summarise(ledger))

    assert document["period"] == {"from": None, "to": None}
    assert document["totals"]["calls"] == 0
    assert document["totals"]["co2e_grams"] == {"low": 0.0, "central": 0.0, "high": 0.0}
    assert document["groups"] == []
    assert document["confidence_share"] == {}


def test_calls_without_usage_add_nothing_and_are_no_unknown(ledger: Ledger) -> None:
    ledger.record([sighting(1, usage=None)])

    totals = summarise(ledger).totals

    assert (totals.calls, totals.co2e_grams) == (1, Interval.exact(0.0))


def test_counts_that_a_library_guessed_are_low_labelled_and_covered(ledger: Ledger) -> None:
    told, guessed = sighting(1, start_s=_DAY), sighting(2)
    assert guessed.call is not None
    ledger.record([told, replace(guessed, call=replace(guessed.call, guessed=True))])

    report = summarise(ledger)
    lines = rows(ledger, "SELECT data_tier, confidence, reason FROM lines ORDER BY seq")

    assert report.coverage.guessed_usage == 1
    assert [line for line in lines if line[0] == "guess"] == [("guess", "low", GUESSED_USAGE)]
    assert any("1 call whose token counts the library guessed" in note for note in report.notes)
    assert verify(ledger).problems == ()


def test_a_ledger_whose_every_line_is_taken_back_but_one_has_no_dust(ledger: Ledger) -> None:
    for number in range(1, 12):
        usage = Usage(uncached_input_tokens=number * 37, visible_output_tokens=number * 11)
        ledger.record([sighting(number, response_id="r", parent=number - 1, usage=usage, start_s=number)])

    report = summarise(ledger)

    call = sighting(11, usage=Usage(11 * 37, 0, 0, 11 * 11), start_s=11).call
    assert call is not None
    outcome = estimator().estimate(call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    assert report.totals.co2e_grams is not None
    assert report.totals.co2e_grams.central == pytest.approx(outcome.co2e_grams.central, rel=1e-11)
    assert (report.totals.calls, report.taken_back.lines) == (1, 10)


def test_the_sentence_names_method_factors_and_what_is_left_out(filled: Ledger) -> None:
    sentence = summarise(filled, by=()).sentence

    assert sentence.startswith("Estimated ")
    assert "gCO2e (" in sentence
    assert "location-based" in sentence
    assert "energy factors otel-carbon-2026.11" in sentence
    guess = _grams(5, "never-heard-of", None).central
    others = _grams(1).central + 2 * _grams(3, "gpt-4o-mini").central
    share = 100.0 * guess / (guess + others)
    said = f"{100.0 - share:.0f} % of the total rests on class defaults and {share:.0f} % on guesses of low confidence."
    assert said in sentence
    assert sentence.endswith("Model training, end-user devices and networks excluded.")


def test_the_csv_has_a_row_per_group_and_units_in_its_columns(filled: Ledger) -> None:
    report = summarise(filled, by=["day"])

    table = list(csv.DictReader(io.StringIO(report_csv(report))))

    assert [(row["day"], row["calls"]) for row in table] == [("2026-11-23", "3"), ("2026-11-24", "2")]
    assert report.groups[0].totals.co2e_grams is not None
    assert float(table[0]["co2e_grams_central"]) == report.groups[0].totals.co2e_grams.central
    assert table[0]["water_liters_low"] == ""


def test_the_csv_without_groups_is_one_row(filled: Ledger) -> None:
    (row,) = csv.DictReader(io.StringIO(report_csv(summarise(filled, by=()))))

    assert (row["calls"], row["input_tokens"]) == ("5", "4800")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"by": ["colour"]}, "--by: 'colour' is not a dimension; choose from provider, model"),
        ({"start": "soon"}, "--from: 'soon' is not a date or time; write 2026-11-23"),
        ({"end": "2026-13-01"}, "--to: '2026-13-01' is not a date or time"),
        ({"as_of": "9999-12-31T23:59:59Z9"}, "--as-of: "),
        ({"start": "0001-01-01T00:00:00+05:00"}, "--from: '0001-01-01T00:00:00+05:00' is not a date or time"),
        ({"start": "2026-11-24", "end": "2026-11-23"}, "--to: 2026-11-23 is not after --from 2026-11-24"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_name_of_the_option(
    ledger: Ledger, arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        summarise(ledger, **arguments)

    assert words in str(raised.value)
