"""What comes into the ledger, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_cases import as_dict, estimator, identity, open_ledger, parent_sighting, rows, sighting

from otel_carbon.errors import LedgerError
from otel_carbon.ledger import Ledger, Recorded
from otel_carbon.ledger.verify import verify
from otel_carbon.model import Attribution, Footprint, Interval, Mark, Status, Usage

_EXPECTED = {
    "kind": "call",
    "occurred_at": "2026-11-23T20:00:00.000000Z",
    "service": "api",
    "tenant": "acme",
    "user": "u-7",
    "provider": "openai",
    "model": "gpt-4o",
    "normalised_model": "gpt-4o",
    "operation": "chat",
    "calls": 1.0,
    "input_tokens": 1200,
    "cache_read_tokens": 500,
    "cache_write_tokens": 0,
    "output_tokens": 345,
    "reasoning_tokens": 64,
    "factor_set": "otel-carbon-2026.11",
    "factor_id": "frontier",
    "factor_match": "pattern",
    "confidence": "class_default",
    "data_tier": "proxy",
    "verification_status": "unverified",
    "source": "otlp",
    "status": "estimated",
    "trace_id": f"{1:032x}",
    "span_id": f"{1:016x}",
    "response_id": "chatcmpl-1",
    "adjusted_count": 1.0,
    "reverses_seq": None,
    "claim_differs": None,
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


def test_a_call_becomes_one_line_in_full_precision(ledger: Ledger) -> None:
    call = sighting(1, response_id="chatcmpl-1", tenant="acme", user="u-7")
    outcome = estimator().estimate(call.call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    assert outcome.energy_wh is not None

    recorded = ledger.record([call])

    assert recorded == Recorded(counted=1)
    line = as_dict(ledger, 1)
    assert {name: line[name] for name in _EXPECTED} == _EXPECTED
    assert rows(ledger, "SELECT co2e_grams_low, co2e_grams_central, co2e_grams_high, energy_wh_central FROM lines") == [
        (outcome.co2e_grams.low, outcome.co2e_grams.central, outcome.co2e_grams.high, outcome.energy_wh.central)
    ]


def test_a_replay_neither_counts_nor_conflicts(ledger: Ledger) -> None:
    batch = [sighting(1), sighting(2), parent_sighting(3)]
    ledger.record(batch)

    assert ledger.record([*batch, sighting(4)]) == Recorded(counted=1, replayed=3)
    assert rows(ledger, "SELECT COUNT(*) FROM lines") == [(3,)]


def test_a_span_twice_in_one_batch_counts_once(ledger: Ledger) -> None:
    assert ledger.record([sighting(1), sighting(1)]) == Recorded(counted=1, replayed=1)


def test_the_same_ids_in_two_tenants_are_two_spans(ledger: Ledger) -> None:
    assert ledger.record([sighting(1, tenant="a"), sighting(1, tenant="b")]).counted == 2


def test_the_same_span_with_other_content_is_a_conflict_and_counts_once(ledger: Ledger) -> None:
    ledger.record([sighting(1)])

    recorded = ledger.record([sighting(1, usage=Usage(uncached_input_tokens=9))])

    assert recorded == Recorded(conflicts=1)
    assert rows(ledger, "SELECT SUM(input_tokens), COUNT(*) FROM lines") == [(1200, 1)]
    (content,) = rows(ledger, "SELECT content FROM conflicts")[0]
    assert "9 + 0 read + 0 written in" in content
    ledger.record([sighting(1, usage=Usage(uncached_input_tokens=9))])
    assert rows(ledger, "SELECT COUNT(*) FROM conflicts") == [(1,)]


def test_a_mark_on_the_second_sighting_is_no_conflict(ledger: Ledger) -> None:
    ledger.record([sighting(1)])

    assert ledger.record([sighting(1, mark=Mark(Status.ESTIMATED))]) == Recorded(replayed=1)


def test_a_completed_call_without_usage_is_a_line_that_adds_nothing(ledger: Ledger) -> None:
    ledger.record([sighting(1, usage=None)])

    assert rows(
        ledger,
        "SELECT status, calls, input_tokens, co2e_grams_central, normalised_model, factor_set, region FROM lines",
    ) == [("no_usage", 1.0, None, None, "gpt-4o", None, "USA")]


def test_a_failed_call_without_usage_is_only_observed(ledger: Ledger) -> None:
    assert ledger.record([sighting(1, usage=None, failed=True)]) == Recorded(failed=1)
    assert rows(ledger, "SELECT COUNT(*) FROM lines") == [(0,)]
    assert rows(ledger, "SELECT role, status FROM observations") == [("call", "failed")]


def test_a_failed_call_with_usage_counts(ledger: Ledger) -> None:
    assert ledger.record([sighting(1, failed=True)]) == Recorded(counted=1)


def test_parents_are_seen_and_not_counted(ledger: Ledger) -> None:
    assert ledger.record([parent_sighting(1)]) == Recorded(parents=1)
    assert rows(ledger, "SELECT role, status, line_seq FROM observations") == [("parent", "parent", None)]


def test_a_marked_duplicate_does_not_count_and_was_never_measured(ledger: Ledger) -> None:
    assert ledger.record([sighting(1, mark=Mark(Status.DUPLICATE))]) == Recorded(duplicates=1)


def test_a_model_that_a_stage_could_not_estimate_stays_without_an_estimate(ledger: Ledger) -> None:
    ledger.record([sighting(1, mark=Mark(Status.UNKNOWN_MODEL))])

    assert rows(ledger, "SELECT status, input_tokens, co2e_grams_central FROM lines") == [("unknown_model", 1200, None)]


def test_a_sampled_call_counts_for_all_it_stands_for(ledger: Ledger) -> None:
    ledger.record([sighting(1), sighting(2, adjusted_count=10.0)])

    one, ten = rows(ledger, "SELECT calls, input_tokens, co2e_grams_high, adjusted_count FROM lines ORDER BY seq")
    assert (ten[0], ten[1], ten[3]) == (10.0, 12_000, 10.0)
    assert ten[2] == pytest.approx(10 * one[2], rel=1e-12)


@pytest.mark.parametrize("count", [0.0, -3.0, 0.5, float("nan"), float("inf")])
def test_an_impossible_adjusted_count_counts_as_one(ledger: Ledger, count: float) -> None:
    ledger.record([sighting(1, adjusted_count=count)])

    assert rows(ledger, "SELECT calls, adjusted_count, input_tokens FROM lines") == [(1.0, 1.0, 1200)]


def test_an_outer_span_that_comes_later_is_a_duplicate(ledger: Ledger) -> None:
    ledger.record([sighting(2, response_id="r", parent=1)])

    recorded = ledger.record([sighting(1, response_id="r")])

    assert (recorded.duplicates, recorded.replaced, recorded.counted) == (1, 0, 0)
    assert rows(ledger, "SELECT COUNT(*), SUM(calls), SUM(input_tokens) FROM lines") == [(1, 1.0, 1200)]


def test_an_inner_span_that_comes_later_replaces_the_outer_one(ledger: Ledger) -> None:
    ledger.record([sighting(1, response_id="r")])

    recorded = ledger.record([sighting(2, response_id="r", parent=1)])

    assert (recorded.counted, recorded.replaced, recorded.duplicates) == (1, 1, 0)
    assert rows(ledger, "SELECT seq, kind, calls, output_tokens, reverses_seq, reason FROM lines ORDER BY seq") == [
        (1, "call", 1.0, 345, None, None),
        (2, "reversal", -1.0, -345, 1, f"span {2:016x} of the same call counts"),
        (3, "call", 1.0, 345, None, None),
    ]
    assert rows(ledger, "SELECT span_id, status, first_status, line_seq FROM observations ORDER BY id") == [
        (f"{1:016x}", "duplicate", "estimated", 1),
        (f"{2:016x}", "estimated", "estimated", 3),
    ]


def test_a_reversal_is_the_exact_opposite_of_its_line(ledger: Ledger) -> None:
    ledger.record([sighting(1, response_id="r", adjusted_count=3.0)])
    ledger.record([sighting(2, response_id="r", parent=1)])

    names = "occurred_at, service, model, factor_id, co2e_grams_low, it_energy_wh_high, cache_read_tokens, calls"
    original, taken = rows(ledger, f"SELECT {names} FROM lines WHERE seq <= 2 ORDER BY seq")
    assert taken[:4] == original[:4]
    assert taken[4:] == tuple(-value for value in original[4:])
    assert verify(ledger).problems == ()


def test_the_span_with_tokens_counts_even_when_it_is_the_outer_one(ledger: Ledger) -> None:
    ledger.record([sighting(2, response_id="r", parent=1, usage=None), sighting(1, response_id="r")])

    assert rows(ledger, "SELECT span_id, status FROM lines") == [(f"{1:016x}", "estimated")]


def test_one_response_id_in_two_tenants_is_two_calls(ledger: Ledger) -> None:
    assert (
        ledger.record([sighting(1, response_id="r", tenant="a"), sighting(2, response_id="r", tenant="b")]).counted == 2
    )


def test_calls_of_one_library_side_by_side_are_never_merged(ledger: Ledger) -> None:
    assert ledger.record([sighting(1), sighting(2), sighting(3, parent=9), sighting(4, parent=9)]).counted == 4


def test_a_replay_after_a_replacement_changes_nothing(ledger: Ledger) -> None:
    outer, inner = sighting(1, response_id="r"), sighting(2, response_id="r", parent=1)
    ledger.record([outer])
    ledger.record([inner])

    assert ledger.record([outer, inner]) == Recorded(replayed=2)
    assert rows(ledger, "SELECT SUM(calls), COUNT(*) FROM lines") == [(1.0, 3)]


def test_what_stages_measured_for_a_duplicate_is_taken_back_once(ledger: Ledger) -> None:
    outer, inner = sighting(1, response_id="r"), sighting(2, response_id="r", parent=1)
    outcome = estimator().estimate(outer.call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    attributes = (
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.response.model", "gpt-4o"),
        ("otel_carbon.region.name", "USA"),
    )
    ledger.record([outer])

    (replaced,) = ledger.record([inner]).reversals
    (arrived_late,) = ledger.record([sighting(3, response_id="r", start_s=-0.5, scope="proxy")]).reversals

    assert (replaced.attributes, arrived_late.attributes) == (attributes, attributes)
    assert replaced.co2e_grams == outcome.co2e_grams.central
    assert arrived_late.co2e_grams == outcome.co2e_grams.central


def test_an_agreeing_claim_is_kept_and_not_flagged(ledger: Ledger) -> None:
    outcome = estimator().estimate(sighting(1).call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    claimed = float(f"{outcome.co2e_grams.central:.6g}")
    mark = Mark(Status.ESTIMATED, co2e_grams=Interval.exact(claimed), factor=outcome.factor, grid=outcome.grid)

    ledger.record([sighting(1, mark=replace(mark, region=outcome.region))])

    assert rows(ledger, "SELECT claimed_co2e_grams, claimed_factor_id, claim_differs FROM lines") == [
        (claimed, "frontier", 0)
    ]


def test_a_claim_that_differs_is_flagged_and_ours_counts(ledger: Ledger) -> None:
    outcome = estimator().estimate(sighting(1).call)
    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    mark = Mark(Status.ESTIMATED, co2e_grams=Interval.exact(outcome.co2e_grams.central * 1.001))

    ledger.record([sighting(1, mark=mark)])

    assert rows(ledger, "SELECT claim_differs, co2e_grams_central FROM lines") == [(1, outcome.co2e_grams.central)]


def test_a_cursor_moves_with_the_lines_and_never_back(ledger: Ledger) -> None:
    assert ledger.cursor("journal") == 0

    ledger.record([sighting(1)], cursor=("journal", 7))
    ledger.record([], cursor=("journal", 5))

    assert ledger.cursor("journal") == 7
    assert ledger.cursor("another") == 0


def test_the_source_is_on_the_line(ledger: Ledger) -> None:
    ledger.record([sighting(1)], source="sdk")

    assert rows(ledger, "SELECT source FROM lines") == [("sdk",)]


def test_a_span_without_valid_ids_is_known_by_its_content(ledger: Ledger) -> None:
    nameless = replace(sighting(1), span=replace(identity(1), trace_id="", span_id=""))
    another = replace(sighting(2, usage=Usage(1)), span=replace(identity(1), trace_id="", span_id=""))

    assert ledger.record([nameless, another]).counted == 2
    assert ledger.record([nameless]) == Recorded(replayed=1)


def test_texts_that_no_database_takes_are_mended(ledger: Ledger) -> None:
    odd = sighting(1, model="gpt-4o\ud800", response_id="r\x00\udfff", service="s" * 5000, tenant="a\x00b")

    ledger.record([odd])

    service, tenant, response_id = rows(ledger, "SELECT service, tenant, response_id FROM lines")[0]
    assert (len(service), tenant, response_id) == (512, "ab", "r?")
    assert verify(ledger).problems == ()


def test_times_that_cannot_be_are_replaced_by_the_next_best(ledger: Ledger) -> None:
    call = sighting(1)
    ledger.record([replace(call, started_unix_nano=0)])
    ledger.record([replace(sighting(2), started_unix_nano=2**64 - 1, ended_unix_nano=2**64 - 1)])
    ledger.record([replace(sighting(3), started_unix_nano=0, ended_unix_nano=0, attribution=Attribution())])

    first, second, third = rows(ledger, "SELECT occurred_at, recorded_at FROM lines ORDER BY seq")
    assert first[0] == "2026-11-23T20:00:01.000000Z"
    assert second[0] == "2554-07-21T23:34:33.709551Z"
    assert third[0] == third[1]


def test_every_transaction_has_a_later_moment_than_the_one_before(ledger: Ledger) -> None:
    for number in range(1, 30):
        ledger.record([sighting(number)])

    moments = [moment for (moment,) in rows(ledger, "SELECT recorded_at FROM lines ORDER BY seq")]
    assert len(set(moments)) == 29
    assert moments == sorted(moments)


def test_a_ledger_opened_for_reading_refuses_to_record(ledger: Ledger) -> None:
    reader = Ledger.open_read_only(ledger.path)

    with pytest.raises(LedgerError, match="was opened for reading"):
        reader.record([sighting(1)])
    reader.close()


def test_closing_twice_is_fine(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
