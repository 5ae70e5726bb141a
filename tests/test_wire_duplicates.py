from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.model import Attribution, Call, Mark, Sighting, SpanIdentity, Status, Usage
from otel_carbon.pipeline.duplicates import duplicates

TOKENS = Usage(uncached_input_tokens=1200, visible_output_tokens=345)
CALL = Call(model="gpt-4o", usage=TOKENS, response_id="chatcmpl-1")
WITHOUT_TOKENS = replace(CALL, usage=None)


def sighting(
    span_id: str,
    call: Call | None = CALL,
    *,
    parent: str = "",
    trace: str = "t",
    scope: str = "openai",
    started: int = 10,
    ended: int = 90,
    mark: Status | None = None,
    tenant: str | None = None,
) -> Sighting:
    return Sighting(
        SpanIdentity(trace, span_id, parent),
        started,
        ended,
        Attribution(tenant=tenant),
        call,
        None if mark is None else Mark(mark),
        scope=scope,
    )


def test_the_inner_of_two_nested_spans_counts() -> None:
    outer = sighting("a", scope="langchain")
    inner = sighting("b", parent="a")

    assert duplicates([outer, inner]) == {0}
    assert duplicates([inner, outer]) == {1}


def test_the_inner_span_counts_through_an_agent_between_them() -> None:
    spans = [sighting("a"), sighting("m", None, parent="a"), sighting("b", parent="m")]

    assert duplicates(spans) == {0}


def test_an_inner_span_without_tokens_yields_to_the_outer_one() -> None:
    assert duplicates([sighting("a"), sighting("b", WITHOUT_TOKENS, parent="a")]) == {1}


def test_of_spans_without_tokens_one_stays() -> None:
    assert duplicates([sighting("a", WITHOUT_TOKENS), sighting("b", WITHOUT_TOKENS, parent="a")]) == {0}


def test_of_siblings_the_one_that_begins_later_counts() -> None:
    framework = sighting("a", scope="langchain", started=10, ended=90)
    client = sighting("b", scope="openai", started=12, ended=88)

    assert duplicates([framework, client]) == {0}


def test_spans_in_two_traces_can_be_one_call() -> None:
    assert duplicates([sighting("a", trace="x", scope="langchain"), sighting("a", trace="y", started=12)]) == {0}


def test_spans_that_follow_each_other_are_two_calls_whatever_their_id() -> None:
    assert duplicates([sighting("a", started=10, ended=20), sighting("b", started=21, ended=30, scope="x")]) == set()


def test_spans_of_one_library_side_by_side_are_two_calls_whatever_their_id() -> None:
    assert duplicates([sighting("a", parent="p"), sighting("b", parent="p")]) == set()


def test_two_concurrent_calls_seen_by_two_libraries_stay_two_calls() -> None:
    spans = [
        sighting("a", scope="langchain", trace="x"),
        sighting("b", parent="a", trace="x", started=12),
        sighting("a", scope="langchain", trace="y"),
        sighting("b", parent="a", trace="y", started=12),
    ]

    assert duplicates(spans) == {0, 2}


def test_the_same_id_in_two_tenants_is_two_calls() -> None:
    assert duplicates([sighting("a", tenant="one"), sighting("b", parent="a", tenant="two")]) == set()


def test_a_span_that_an_earlier_stage_estimated_counts_even_when_it_is_the_outer_one() -> None:
    assert duplicates([sighting("a", mark=Status.ESTIMATED), sighting("b", parent="a")]) == {1}


def test_a_span_that_an_earlier_stage_called_a_duplicate_does_not_count_for_another() -> None:
    assert duplicates([sighting("a"), sighting("b", parent="a", mark=Status.DUPLICATE)]) == set()


def test_marked_spans_are_never_in_the_result() -> None:
    both = [sighting("a", mark=Status.ESTIMATED), sighting("b", parent="a", mark=Status.ESTIMATED)]

    assert duplicates(both) == set()


def test_a_failed_attempt_is_not_a_duplicate_of_the_answer() -> None:
    failed = replace(WITHOUT_TOKENS, failed=True)

    assert duplicates([sighting("a", failed), sighting("b", parent="a")]) == set()


def test_a_chain_of_nested_spans_is_one_call() -> None:
    chain = [sighting(str(number), parent=str(number - 1)) for number in range(60)]

    assert duplicates(chain) == set(range(59))


def test_spans_that_are_each_others_parents_are_ordered_all_the_same() -> None:
    assert len(duplicates([sighting("a", parent="b"), sighting("b", parent="a")])) == 1


_SIGHTINGS = st.builds(
    sighting,
    st.sampled_from("abcdef"),
    st.sampled_from(
        (None, CALL, WITHOUT_TOKENS, replace(CALL, response_id="chatcmpl-2"), replace(CALL, response_id=None))
    ),
    parent=st.sampled_from(("", "a", "b", "c", "d", "e", "f")),
    trace=st.sampled_from("xy"),
    scope=st.sampled_from(("openai", "langchain")),
    started=st.integers(0, 3),
    ended=st.integers(2, 5),
    mark=st.sampled_from((None, None, None, Status.ESTIMATED, Status.DUPLICATE)),
    tenant=st.sampled_from((None, "one")),
)
_DISTINCT = st.lists(_SIGHTINGS, max_size=8, unique_by=lambda each: (each.span.trace_id, each.span.span_id))


@given(_DISTINCT)
def test_a_library_whose_spans_lie_side_by_side_has_no_duplicates(spans: list[Sighting]) -> None:
    roots = [replace(each, span=replace(each.span, parent_span_id=""), scope="openai") for each in spans]

    assert duplicates(roots) == set()


@given(_DISTINCT)
def test_every_duplicate_leaves_a_span_that_counts(spans: list[Sighting]) -> None:
    found = duplicates(spans)
    for index in found:
        loser = spans[index]
        assert loser.mark is None
        assert any(
            other.call is not None
            and loser.call is not None
            and other.attribution.tenant == loser.attribution.tenant
            and (other.call.usage is not None or loser.call.usage is None or other.mark is not None)
            for position, other in enumerate(spans)
            if position not in found
        )


@given(_DISTINCT, st.randoms())
def test_the_order_of_spans_does_not_matter(spans: list[Sighting], random: object) -> None:
    shuffled = spans[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined] - hypothesis gives a random.Random

    assert {shuffled[index].span for index in duplicates(shuffled)} == {
        spans[index].span for index in duplicates(spans)
    }
