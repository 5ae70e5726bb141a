"""The running totals: exact sums, bounded size, units of the metrics."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_carbon.connectors._avoided import Avoided
from otel_carbon.connectors._grids import Grids
from otel_carbon.model import (
    Call,
    Confidence,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    NotEstimated,
    Outcome,
    Region,
    Reversal,
    Status,
    Usage,
)
from otel_carbon.pipeline.tally import OVERFLOW, Tally, measurement_attributes
from otel_carbon.semconv.carbon import METRICS

CHAT = (
    ("gen_ai.operation.name", "chat"),
    ("gen_ai.provider.name", "openai"),
    ("gen_ai.response.model", "gpt-4o"),
    ("otel_carbon.region.name", "swedencentral"),
)
USAGE = Usage(
    uncached_input_tokens=800,
    cache_read_tokens=400,
    cache_write_tokens=7,
    visible_output_tokens=281,
    reasoning_tokens=64,
)


def call(model: str | None = "gpt-4o", *, provider: str | None = "openai", usage: Usage | None = USAGE) -> Call:
    return Call(provider=provider, model=model, usage=usage)


def footprint(
    co2e_grams: Interval | None = None, energy_wh: Interval | None = None, region: str | None = "swedencentral"
) -> Footprint:
    return Footprint(
        model="gpt-4o",
        energy_wh=energy_wh,
        it_energy_wh=None,
        co2e_grams=co2e_grams,
        co2e_operational_grams=None,
        co2e_embodied_grams=None,
        water_liters=None,
        factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"),
        confidence=Confidence.CLASS_DEFAULT,
        region=Region(region, "user"),
        grid=Grid("SE", 36.0, "user"),
    )


def filled(calls: Sequence[tuple[Call, Outcome]], *, limit: int = 2000) -> Tally:
    tally = Tally(limit)
    for one, outcome in calls:
        tally.add(one, outcome)
    return tally


def test_a_call_adds_its_grams_its_joules_and_its_tokens_by_kind() -> None:
    tally = filled([(call(), footprint(Interval(0.5, 1.0, 4.0), Interval(1.0, 2.0, 3.0)))])

    tokens = {
        (*CHAT, ("otel_carbon.token.kind", kind)): count
        for kind, count in {
            "cache_read": 400.0,
            "cache_write": 7.0,
            "reasoning": 64.0,
            "uncached_input": 800.0,
            "visible_output": 281.0,
        }.items()
    }
    assert tally.snapshot() == {
        "otel_carbon.co2e": {CHAT: 1.0},
        "otel_carbon.co2e.low": {CHAT: 0.5},
        "otel_carbon.co2e.high": {CHAT: 4.0},
        "otel_carbon.energy": {CHAT: 7200.0},
        "otel_carbon.energy.low": {CHAT: 3600.0},
        "otel_carbon.energy.high": {CHAT: 10800.0},
        "otel_carbon.tokens": tokens,
        "otel_carbon.calls": {CHAT: 1.0},
        "otel_carbon.enriched.spans": {(("gen_ai.provider.name", "openai"), ("otel_carbon.status", "estimated")): 1.0},
        "otel_carbon.calls.reversed": {},
        "otel_carbon.co2e.reversed": {},
        "otel_carbon.energy.reversed": {},
    }


def test_every_counter_of_the_registry_is_summed_here_or_in_the_connector() -> None:
    counters = {name for name, metric in METRICS.items() if metric.instrument == "counter"}
    connector = Grids().snapshot().keys() | Avoided().snapshot().keys()

    assert Tally().snapshot().keys() | connector == counters


def test_a_sampled_call_adds_what_it_stands_for_and_its_span_once() -> None:
    tally = Tally()

    tally.add(call(), footprint(Interval.exact(2.0)), adjusted_count=8.0)

    sums = tally.snapshot()
    assert sums["otel_carbon.co2e"] == {CHAT: 16.0}
    assert sums["otel_carbon.calls"] == {CHAT: 8.0}
    assert sums["otel_carbon.tokens"][*CHAT, ("otel_carbon.token.kind", "reasoning")] == 512.0
    assert list(sums["otel_carbon.enriched.spans"].values()) == [1.0]


@pytest.mark.parametrize("impossible", [math.nan, math.inf, -1.0, 0.0, 0.5])
def test_a_count_that_cannot_be_counts_as_one(impossible: float) -> None:
    tally = Tally()

    tally.add(call(), footprint(Interval.exact(2.0)), adjusted_count=impossible)

    assert tally.snapshot()["otel_carbon.co2e"] == {CHAT: 2.0}


def test_a_duplicate_is_a_span_and_nothing_else() -> None:
    sums = filled([(call(), NotEstimated(Status.DUPLICATE, "counted before"))]).snapshot()

    spans = sums.pop("otel_carbon.enriched.spans")
    assert spans == {(("gen_ai.provider.name", "openai"), ("otel_carbon.status", "duplicate")): 1.0}
    assert not any(sums.values())


def test_the_tokens_of_an_unknown_model_are_counted_without_emissions() -> None:
    sums = filled([(call("mystery"), NotEstimated(Status.UNKNOWN_MODEL, "no factor"))]).snapshot()

    assert sums["otel_carbon.co2e"] == {}
    assert sum(sums["otel_carbon.tokens"].values()) == 1552.0


def test_a_quantity_that_the_factor_set_does_not_give_is_absent_and_not_zero() -> None:
    sums = filled([(call(), footprint(co2e_grams=Interval.exact(1.0), energy_wh=None))]).snapshot()

    assert sums["otel_carbon.co2e"] == {CHAT: 1.0}
    assert sums["otel_carbon.energy"] == {}


def test_what_is_not_known_of_a_call_is_left_out_of_its_attributes() -> None:
    asked_for = Call(operation="embeddings", request_model="text-embedding-3-small")

    assert measurement_attributes(asked_for, footprint(region=None)) == (
        ("gen_ai.operation.name", "embeddings"),
        ("gen_ai.response.model", "text-embedding-3-small"),
    )


def test_what_the_ledger_took_back_is_a_sum_of_its_own() -> None:
    tally = Tally()

    tally.add_reversed(Reversal(CHAT, calls=1.0, co2e_grams=0.25, energy_wh=2.0))
    tally.add_reversed(Reversal(CHAT, calls=8.0, co2e_grams=0.5))

    sums = tally.snapshot()
    assert sums["otel_carbon.calls.reversed"] == {CHAT: 9.0}
    assert sums["otel_carbon.co2e.reversed"] == {CHAT: 0.75}
    assert sums["otel_carbon.energy.reversed"] == {CHAT: 7200.0}


def test_beyond_the_limit_everything_goes_to_the_overflow_set() -> None:
    tally = filled(
        [(call(f"model-{n}", provider=f"p{n}"), footprint(Interval.exact(1.0))) for n in range(100)], limit=10
    )
    for n in range(100):
        tally.add_reversed(Reversal((("gen_ai.response.model", f"model-{n}"),), co2e_grams=1.0))

    sums = tally.snapshot()
    for name in ("otel_carbon.co2e", "otel_carbon.enriched.spans", "otel_carbon.co2e.reversed"):
        assert len(sums[name]) == 10
        assert sums[name][OVERFLOW] == 91.0
        assert sum(sums[name].values()) == 100.0
    assert sums["otel_carbon.tokens"][OVERFLOW] == 91 * 1552.0


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["gpt-4o", "claude-sonnet-4-5", None]),
            st.floats(0.0, 1e6),
            st.integers(0, 10**9),
            st.floats(1.0, 1e4),
        ),
        max_size=200,
    )
)
def test_sums_are_those_of_the_inputs(calls: list[tuple[str | None, float, int, float]]) -> None:
    tally = Tally()
    for model, value, tokens, count in calls:
        usage = Usage(uncached_input_tokens=tokens)
        tally.add(call(model, usage=usage), footprint(Interval.exact(value), Interval.exact(value)), count)

    sums = tally.snapshot()
    quantity = math.fsum(value * count for _, value, _, count in calls)
    tokens_seen = math.fsum(tokens * count for _, _, tokens, count in calls)
    assert math.fsum(sums["otel_carbon.co2e"].values()) == pytest.approx(quantity, rel=1e-12)
    assert math.fsum(sums["otel_carbon.energy.high"].values()) == pytest.approx(quantity * 3600.0, rel=1e-12)
    assert math.fsum(sums["otel_carbon.tokens"].values()) == pytest.approx(tokens_seen, rel=1e-12)
    assert all(math.isfinite(value) for metric in sums.values() for value in metric.values())


def test_threads_lose_nothing() -> None:
    tally = Tally()
    one = footprint(Interval.exact(1.0))

    def add() -> None:
        for _ in range(2000):
            tally.add(call(), one)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tally.snapshot()["otel_carbon.co2e"] == {CHAT: 8000.0}


def test_a_snapshot_does_not_change_afterwards() -> None:
    tally = filled([(call(), footprint(Interval.exact(1.0)))])
    before = tally.snapshot()

    tally.add(call(), footprint(Interval.exact(1.0)))

    assert before["otel_carbon.co2e"] == {CHAT: 1.0}


def test_a_child_process_begins_at_zero() -> None:
    tally = filled([(call(), footprint(Interval.exact(1.0)))])

    tally.reset_after_fork()

    assert not any(tally.snapshot().values())
