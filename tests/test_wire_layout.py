from __future__ import annotations

from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from otlp_requests import attributes, chat_span, delimited, long_varint, requests, traces, web_span

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.otlp_schema import REQUESTS, lenient
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.wire import joined, read_varint, resource_spans, varint

GROUP_START, GROUP_END = b"\xfb\x3e", b"\xfc\x3e"  # field 999


def contents(body: bytes) -> list[tuple[bytes, list[tuple[bytes, list[bytes]]]]]:
    """Return resource, scopes and spans, as encoded messages, as the walk finds them."""
    return [
        (
            joined(body, resource.resource),
            [
                (joined(body, scope.scope), [body[start:end] for _, start, end in scope.spans])
                for scope in resource.scope_spans
            ],
        )
        for resource in resource_spans(body)
    ]


def assert_as_protobuf(body: bytes) -> None:
    """The walk finds what protobuf finds, message by message."""
    expected = lenient(REQUESTS[Signal.TRACES]).FromString(body).resource_spans
    found = contents(body)
    assert len(found) == len(expected)
    for (resource, scopes), resource_message in zip(found, expected, strict=True):
        assert type(resource_message.resource).FromString(resource) == resource_message.resource
        assert len(scopes) == len(resource_message.scope_spans)
        for (scope, spans), scope_message in zip(scopes, resource_message.scope_spans, strict=True):
            assert type(scope_message.scope).FromString(scope) == scope_message.scope
            assert [type(each).FromString(span) for span, each in zip(spans, scope_message.spans, strict=True)] == list(
                scope_message.spans
            )


@given(requests())
def test_the_walk_finds_what_protobuf_finds(body: bytes) -> None:
    assert_as_protobuf(body)


@given(requests(), st.data())
def test_damaged_bytes_are_refused_or_read_as_protobuf_reads_them(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        lenient(REQUESTS[Signal.TRACES]).FromString(bytes(damaged))
    except DecodeError:
        with suppress(InvalidDataError):
            resource_spans(bytes(damaged))
    else:
        assert_as_protobuf(bytes(damaged))


def test_a_request_cut_anywhere_is_refused_unless_protobuf_takes_it() -> None:
    body = traces(chat_span(), web_span(2)).SerializeToString()
    for end in range(1, len(body)):
        with pytest.raises(DecodeError):
            ExportTraceServiceRequest.FromString(body[:end])
        with pytest.raises(InvalidDataError, match="not a protobuf message"):
            resource_spans(body[:end])


def test_an_empty_request_has_no_resources() -> None:
    assert resource_spans(b"") == []


def test_numbers_may_be_written_longer_than_they_have_to_be() -> None:
    span = chat_span().SerializeToString()
    body = delimited(1, delimited(2, delimited(2, span, tag_size=3), tag_size=2, length_size=4), tag_size=5)

    assert contents(body) == [(b"", [(b"", [span])])]


def test_a_resource_in_two_parts_is_merged_whatever_stands_between() -> None:
    first = Resource(attributes=attributes({"service.name": "shop"})).SerializeToString()
    second = Resource(attributes=attributes({"cloud.region": "eu-west-1"})).SerializeToString()
    body = delimited(1, delimited(1, first) + delimited(2, b"") + delimited(1, second))

    assert contents(body) == [(first + second, [(b"", [])])]


def test_a_group_is_stepped_over_with_what_looks_like_spans_inside() -> None:
    group = GROUP_START + delimited(2, b"not a span") + GROUP_START + b"\x08\x07" + GROUP_END + GROUP_END
    body = delimited(1, delimited(2, group + delimited(2, b"") + group))

    assert contents(body) == [(b"", [(b"", [b""])])]


def test_a_field_of_another_kind_is_not_the_message_of_that_number() -> None:
    body = delimited(1, b"\x10\x05" + b"\x0d" + bytes(4) + b"\x11" + bytes(8) + delimited(2, b""))

    assert contents(body) == [(b"", [(b"", [])])]


def test_groups_nested_a_hundred_thousand_deep_do_not_use_the_stack() -> None:
    body = GROUP_START * 100_000 + GROUP_END * 100_000 + delimited(1, b"")

    assert contents(body) == [(b"", [])]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (GROUP_START, "it ends inside a field"),
        (GROUP_END, "a field of unknown kind 4"),
        (GROUP_START + b"\x0c", "a field of unknown kind 4"),
        (b"\x0e", "a field of unknown kind 6"),
        (b"\x00\x00", "no field has the tag 0"),
        (long_varint(1 << 40, 7), "no field has the tag"),
        (b"\x08" + b"\xff" * 11, "the number at byte 1 is too long"),
        (b"\x0a\x05abc", "longer than what is around it"),
        (b"\x0a\x04\x12\x06\x12\x01", "longer than what is around it"),
        (b"\x0a", "it ends inside a field"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError, match=f"not a protobuf message: .*{reason}"):
        resource_spans(body)


@given(st.integers(0, 2**64 - 1))
def test_a_varint_is_read_as_it_was_written(value: int) -> None:
    encoded = varint(value)

    assert read_varint(b"\xff" + encoded + b"\xff", 1) == (value, 1 + len(encoded))
