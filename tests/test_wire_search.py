from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import chat_span, traces, web_span

from otel_carbon.pipeline.wire import Extent, resource_spans
from otel_carbon.pipeline.wire_search import containing, words_in, words_of
from otel_carbon.spans import SpanReader


def test_what_keys_of_one_family_share_stands_for_all_of_them() -> None:
    assert words_of(["gen_ai.operation.name", "gen_ai.system", "llm.request.type"]) == (b"gen_ai.", b"llm.request.type")


def test_a_word_inside_another_is_enough() -> None:
    assert words_of(["ai.model.id", "ai.operation", "openai.model", "openai.request"]) == (b"ai.",)


def test_every_key_contains_a_word() -> None:
    markers = SpanReader.bundled().markers

    assert all(any(word in marker.encode() for word in words_of(markers)) for marker in markers)


def test_spans_without_any_word_are_passed_over() -> None:
    spans = [web_span(1), chat_span(2), web_span(3), web_span(4), chat_span(5)]
    body = traces(*spans).SerializeToString()
    extents = resource_spans(body)[0].scope_spans[0].spans

    assert containing(body, extents, (b"gen_ai.", b"llm.")) == [extents[1], extents[4]]


def test_a_word_in_a_prompt_is_a_find_too() -> None:
    span = web_span(1, name="what is gen_ai.operation.name?")
    body = traces(span).SerializeToString()

    assert len(containing(body, resource_spans(body)[0].scope_spans[0].spans, (b"gen_ai.",))) == 1


def test_without_words_nothing_is_found() -> None:
    body = traces(chat_span(1)).SerializeToString()

    assert containing(body, resource_spans(body)[0].scope_spans[0].spans, ()) == []
    assert words_in(body, ()) == []


@given(
    st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=12), st.sets(st.sampled_from((b"a.", b"b", b"\0\1")))
)
def test_a_span_is_found_when_a_word_begins_in_it(body: bytes, cuts: list[int], words: set[bytes]) -> None:
    edges = sorted({min(cut, len(body)) for cut in cuts})
    extents: list[Extent] = [(start, start, end) for start, end in pairwise(edges)]

    found = containing(body, extents, sorted(words))

    for extent in extents:
        _, start, end = extent
        if any(word in body[start:end] for word in words):
            assert extent in found
        if not any(body.startswith(word, place) for word in words for place in range(start, end)):
            assert extent not in found
    assert words_in(body, sorted(words)) == [word for word in sorted(words) if word in body]
