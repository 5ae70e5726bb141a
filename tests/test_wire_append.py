from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import chat_span, delimited, requests, spans_of, traces, web_span

from otel_carbon.pipeline.attributes_encoding import encode_span_attributes
from otel_carbon.pipeline.otlp_schema import REQUESTS, lenient
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.wire import Extent, append_to_spans, joined, resource_spans

COLOUR = encode_span_attributes({"colour": "green"})


def extents(body: bytes) -> list[Extent]:
    return [extent for resource in resource_spans(body) for scope in resource.scope_spans for extent in scope.spans]


def appended(body: bytes, additions: dict[int, bytes]) -> bytes:
    return append_to_spans(body, resource_spans(body), additions)


@given(requests(), st.data())
def test_the_result_is_what_protobuf_objects_give(body: bytes, data: st.DataObject) -> None:
    places = extents(body)
    chosen = data.draw(st.sets(st.integers(0, len(places) - 1))) if places else set()
    sizes = {index: data.draw(st.sampled_from((1, 50, 130, 17_000))) for index in sorted(chosen)}
    expected = lenient(REQUESTS[Signal.TRACES]).FromString(body)
    spans = [span for resource in expected.resource_spans for scope in resource.scope_spans for span in scope.spans]
    for index, size in sizes.items():
        added = spans[index].attributes.add()
        added.key = b"colour"
        added.value.string_value = b"g" * size

    additions = {places[index][0]: encode_span_attributes({"colour": "g" * size}) for index, size in sizes.items()}
    result = appended(body, additions)

    # Serialized, because NaN does not equal itself.
    assert lenient(REQUESTS[Signal.TRACES]).FromString(result).SerializeToString() == expected.SerializeToString()


@given(requests(), st.data())
def test_what_is_not_added_to_keeps_its_bytes(body: bytes, data: st.DataObject) -> None:
    places = extents(body)
    chosen = data.draw(st.sets(st.integers(0, len(places) - 1))) if places else set()

    result = appended(body, {places[index][0]: COLOUR for index in chosen})

    after = extents(result)
    assert len(after) == len(places)
    for index, ((_, start, end), (_, new_start, new_end)) in enumerate(zip(places, after, strict=True)):
        assert result[new_start:new_end] == body[start:end] + (COLOUR if index in chosen else b"")
    for old, new in zip(resource_spans(body), resource_spans(result), strict=True):
        assert joined(result, new.resource) == joined(body, old.resource)
        for old_scope, new_scope in zip(old.scope_spans, new.scope_spans, strict=True):
            assert joined(result, new_scope.scope) == joined(body, old_scope.scope)


@given(requests())
def test_without_additions_the_request_is_the_same_object(body: bytes) -> None:
    assert append_to_spans(body, resource_spans(body), {}) is body


def test_only_the_three_lengths_around_an_addition_change() -> None:
    body = traces(web_span(1), chat_span(2), web_span(3)).SerializeToString()
    at, start, end = extents(body)[1]

    result = appended(body, {at: COLOUR})

    # Every message here is between 128 and 16,383 bytes long or stays below 128, so that no length grows by a byte.
    assert len(result) == len(body) + len(COLOUR)
    assert result[start:end] == body[start:end]
    assert result[end : end + len(COLOUR)] == COLOUR
    assert result[end + len(COLOUR) :] == body[end:]
    resource = resource_spans(body)[0]
    around = (resource.extent, resource.scope_spans[0].extent, (at, start, end))
    lengths = {place for tag, content, _ in around for place in range(tag + 1, content)}
    assert {place for place in range(start) if body[place] != result[place]} <= lengths


def test_a_resource_without_additions_keeps_even_its_odd_lengths() -> None:
    untouched = delimited(1, delimited(2, delimited(2, web_span(1).SerializeToString()), length_size=3), tag_size=2)
    touched = delimited(1, delimited(2, delimited(2, chat_span(2).SerializeToString())))
    body = untouched + touched + untouched

    result = appended(body, {extents(body)[1][0]: COLOUR})

    assert result.startswith(untouched)
    assert result.endswith(untouched)
    assert [span.name for span in spans_of(result)] == ["GET /", "chat gpt-4o", "GET /"]
    assert spans_of(result)[1].attributes[-1].key == "colour"
