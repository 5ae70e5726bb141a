"""One call that several libraries watched counts once; many calls that share an id count each."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_cases import USAGE, open_ledger, parent_sighting, rows, sighting

from otel_carbon.ledger import Ledger
from otel_carbon.ledger.neighbours import BY_RESPONSE, BY_TIME, BY_TWIN
from otel_carbon.ledger.verify import verify
from otel_carbon.model import Sighting, Usage

_SCOPES = ("openai", "langchain", None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(tmp_path / "ledger.db")) as opened:
        yield opened


def _counted(*batches: Sequence[Sighting]) -> tuple[float, list[str]]:
    """Return the calls of a new ledger with these batches, and the numbers of the spans that count."""
    with tempfile.TemporaryDirectory() as folder, closing(open_ledger(Path(folder) / "ledger.db")) as ledger:
        for batch in batches:
            ledger.record(batch)
        assert verify(ledger).problems == ()
        (calls,) = rows(ledger, "SELECT COALESCE(SUM(calls), 0) FROM lines")[0]
        return calls, [span for (span,) in rows(ledger, "SELECT span_id FROM calls ORDER BY span_id")]


def _either_way(one: Sighting, other: Sighting) -> tuple[int, list[str]]:
    """Return what counts of two spans, which must not depend on which came first or on whether they came together."""
    found = [_counted([one, other]), _counted([other, one]), _counted([one], [other]), _counted([other], [one])]
    assert found == [found[0]] * 4
    return int(found[0][0]), found[0][1]


def _ids(*numbers: int) -> list[str]:
    return [f"{number:016x}" for number in numbers]


def test_spans_of_two_libraries_that_overlap_are_one_call_in_any_order() -> None:
    framework = sighting(1, response_id="r", scope="langchain", start_s=0, duration_s=2)
    client = sighting(2, response_id="r", scope="openai", start_s=0.1, duration_s=1.8)

    assert _either_way(framework, client) == (1, _ids(2))


def test_client_and_proxy_in_two_traces_are_one_call_in_any_order() -> None:
    client = sighting(1, response_id="r", scope="openai", trace=1, service="shop")
    proxy = sighting(2, response_id="r", scope="litellm", trace=2, service="proxy", start_s=0.2, duration_s=0.5)

    assert _either_way(client, proxy) == (1, _ids(2))


def test_nested_spans_of_one_library_are_one_call_in_any_order() -> None:
    outer = sighting(1, response_id="r", scope="openlit", duration_s=2)
    inner = sighting(2, response_id="r", scope="openlit", parent=1, start_s=0.1)

    assert _either_way(outer, inner) == (1, _ids(2))


def test_spans_that_follow_each_other_are_two_calls_whatever_library_they_are_of() -> None:
    first = sighting(1, response_id="r", scope="langchain")
    second = sighting(2, response_id="r", scope="openai", start_s=1.001)

    assert _either_way(first, second) == (2, _ids(1, 2))


def test_spans_of_one_library_side_by_side_are_two_calls() -> None:
    assert _either_way(sighting(1, response_id="r"), sighting(2, response_id="r", start_s=0.5)) == (2, _ids(1, 2))


def test_a_parent_that_ended_before_is_another_call() -> None:
    first = sighting(1, response_id="r", scope="openai")
    second = sighting(2, response_id="r", scope="openai", parent=1, start_s=1.05)

    assert _either_way(first, second) == (2, _ids(1, 2))


@pytest.mark.parametrize(
    ("gap_s", "changes", "calls"),
    [
        (0.05, {}, 1),
        (0.15, {}, 2),
        (0.05, {"service": "shop"}, 2),
        (0.05, {"trace": 2}, 2),
        (0.05, {"usage": Usage(uncached_input_tokens=9)}, 2),
    ],
    ids=["two clocks", "too far apart", "one clock", "another trace", "other token counts"],
)
def test_two_services_of_one_trace_may_have_two_clocks(gap_s: float, changes: dict[str, object], calls: int) -> None:
    client = sighting(1, response_id="r", scope="openai", service="shop", duration_s=0.04)
    proxy = {"service": "proxy", "scope": "litellm", "start_s": 0.04 + gap_s, "duration_s": 0.03, "response_id": "r"}

    assert _either_way(client, sighting(2, **{**proxy, **changes}))[0] == calls


def test_two_calls_at_once_seen_by_two_libraries_stay_two_calls(ledger: Ledger) -> None:
    spans = [
        sighting(1, response_id="r", scope="langchain", trace=1),
        sighting(2, response_id="r", scope="openai", trace=1, parent=1, start_s=0.1, duration_s=0.8),
        sighting(3, response_id="r", scope="langchain", trace=2),
        sighting(4, response_id="r", scope="openai", trace=2, parent=3, start_s=0.1, duration_s=0.8),
    ]

    for span in spans:
        ledger.record([span])

    assert rows(ledger, "SELECT span_id FROM calls ORDER BY 1") == [(each,) for each in _ids(2, 4)]


def test_a_span_that_links_two_counted_ones_takes_the_outer_one_back(ledger: Ledger) -> None:
    ledger.record([sighting(1, response_id="r", duration_s=3)])
    ledger.record([sighting(3, response_id="r", parent=2, start_s=0.2)])
    assert rows(ledger, "SELECT SUM(calls) FROM lines") == [(2.0,)]

    recorded = ledger.record([sighting(2, response_id="r", parent=1, start_s=0.1, duration_s=2)])

    assert (recorded.duplicates, recorded.replaced) == (1, 1)
    assert rows(ledger, "SELECT span_id FROM calls") == [(f"{3:016x}",)]
    assert verify(ledger).problems == ()


def test_spans_that_are_each_others_parents_are_one_call() -> None:
    one, other = sighting(1, response_id="r", parent=2), sighting(2, response_id="r", parent=1)

    assert _either_way(one, other)[0] == 1


def test_of_thousands_with_one_id_a_duplicate_is_found_by_its_time(ledger: Ledger) -> None:
    ledger.record(
        [sighting(number, response_id="chatcmpl-0", scope="openai", start_s=2 * number) for number in range(1, 3000)]
    )

    recorded = ledger.record(
        [sighting(9000, response_id="chatcmpl-0", scope="langchain", start_s=1999.9, duration_s=1.2)]
    )

    assert (recorded.counted, recorded.duplicates) == (0, 1)
    assert rows(ledger, "SELECT SUM(calls) FROM lines") == [(2999.0,)]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (BY_RESPONSE, "observations_response (response_key=? AND started_unix_nano<?)"),
        (BY_TWIN, "observations_twin (twin_key=? AND started_unix_nano<?)"),
    ],
)
def test_a_look_up_reads_a_bounded_part_of_an_index(ledger: Ledger, query: str, index: str) -> None:
    steps = [step for *_, step in rows(ledger, f"EXPLAIN QUERY PLAN {query}", 1, 2, 3, "")]

    assert any(f"USING INDEX {index}" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)


def test_a_look_up_by_time_reads_a_bounded_part_of_an_index(ledger: Ledger) -> None:
    steps = [step for *_, step in rows(ledger, f"EXPLAIN QUERY PLAN {BY_TIME}", "2026", 3, "")]

    assert any("USING INDEX lines_occurred_at (occurred_at<?)" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)


@pytest.mark.parametrize("crowd", [2, 65])
def test_of_a_crowd_with_one_id_each_library_has_one_span_of_a_call(crowd: int) -> None:
    around = sighting(1, response_id="r", scope="langchain", duration_s=60)
    others = [sighting(number, response_id="r", scope="openai", start_s=1) for number in range(2, 2 + crowd)]

    assert _counted([around, *others])[0] == crowd
    assert _counted(others, [around])[0] == crowd


@st.composite
def _one_after_the_other(draw: st.DrawFn) -> list[Sighting]:
    """Return calls that never overlap, of any library and trace, nested or not; all answers have one id."""
    found: list[Sighting] = []
    start_s = 0.0
    for number in range(1, draw(st.integers(1, 12)) + 1):
        duration_s = draw(st.sampled_from([0.0, 0.01, 1.0, 30.0]))
        parent = draw(st.none() | st.integers(1, max(1, number - 1)))
        found.append(
            sighting(
                number,
                response_id="chatcmpl-0",
                usage=draw(st.sampled_from([USAGE, None, Usage(3)])),
                scope=draw(st.sampled_from(_SCOPES)),
                trace=draw(st.integers(1, 2)),
                parent=parent,
                start_s=start_s,
                duration_s=duration_s,
            )
        )
        start_s += duration_s + draw(st.sampled_from([0.000_001, 0.05, 5.0]))
    return found


def _in_batches(data: st.DataObject, spans: Sequence[Sighting]) -> list[list[Sighting]]:
    shuffled = data.draw(st.permutations(spans))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
    return [list(shuffled[start:end]) for start, end in itertools.pairwise([0, *cuts, len(shuffled)])]


@settings(max_examples=60)
@given(data=st.data(), calls=_one_after_the_other())
def test_calls_after_each_other_with_one_id_all_count_in_any_order(data: st.DataObject, calls: list[Sighting]) -> None:
    assert _counted(*_in_batches(data, calls))[0] == len(calls)


@settings(max_examples=40)
@given(data=st.data(), pairs=st.integers(1, 6), nested=st.booleans())
def test_each_of_many_calls_seen_twice_counts_once_in_any_order(
    data: st.DataObject, pairs: int, *, nested: bool
) -> None:
    seen = [parent_sighting(900)]
    for number in range(1, pairs + 1):
        start_s = 3 * number
        seen.append(sighting(number, response_id="chatcmpl-0", scope="langchain", start_s=start_s, duration_s=2))
        parent = number if nested else None
        inner = sighting(100 + number, response_id="chatcmpl-0", scope="openai", parent=parent, start_s=start_s + 0.1)
        seen.append(inner)

    assert _counted(*_in_batches(data, seen)) == (pairs, _ids(*range(101, 101 + pairs)))


def test_the_usage_of_a_stream_on_a_span_of_its_own_belongs_to_its_request() -> None:
    request = sighting(1, usage=None, scope="logfire.openai", duration_s=0.01)
    stream = sighting(2, scope="logfire.openai", start_s=2.0, duration_s=0.0)
    assert stream.call is not None
    began = replace(stream.call, continues=True, at_unix_nano=stream.started_unix_nano - 1_980_000_000)

    assert _either_way(request, replace(stream, call=began)) == (1, _ids(2))
    assert _either_way(request, stream) == (2, _ids(1, 2))
