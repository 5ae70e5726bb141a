"""Builders and hypothesis strategies for OTLP requests, as protobuf objects and as hand-made bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

__all__ = [
    "OPENAI_SCOPE",
    "SECOND",
    "STARTED",
    "UNKNOWN_FIELDS",
    "any_value",
    "attributes",
    "chat_attributes",
    "chat_span",
    "delimited",
    "key_values",
    "long_varint",
    "requests",
    "spans",
    "spans_of",
    "traces",
    "web_span",
]

STARTED = 1_790_000_000_000_000_000
OPENAI_SCOPE = "opentelemetry.instrumentation.openai_v2"
SECOND = 1_000_000_000


def any_value(value: Any) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))
    return AnyValue(**{_FIELDS[type(value)]: value})


_FIELDS = {bool: "bool_value", str: "string_value", int: "int_value", float: "double_value", bytes: "bytes_value"}


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def chat_attributes(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 345,
    }
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in {**usual, **given}.items() if value is not None}


def chat_span(number: int = 1, *, extra: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    span = web_span(number, **{"name": "chat gpt-4o", "kind": Span.SPAN_KIND_CLIENT, **fields})
    del span.attributes[:]
    span.attributes.extend(attributes({**chat_attributes(), **(extra or {})}))
    return span


def web_span(number: int = 1, **fields: Any) -> Span:
    usual: dict[str, Any] = {
        "trace_id": bytes(15) + b"\x01",
        "span_id": number.to_bytes(8, "big"),
        "name": "GET /",
        "start_time_unix_nano": STARTED,
        "end_time_unix_nano": STARTED + SECOND,
        "attributes": attributes({"http.request.method": "GET"}),
    }
    return Span(**{**usual, **fields})


def traces(
    *spans: Span, resource: Mapping[str, Any] | None = None, scope: str = OPENAI_SCOPE
) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=attributes(resource or {"service.name": "shop"})),
                scope_spans=[ScopeSpans(scope=InstrumentationScope(name=scope, version="1.0"), spans=spans)],
            )
        ]
    )


def spans_of(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def long_varint(value: int, size: int = 5) -> bytes:
    """Return a varint of the given size, longer than it has to be."""
    digits = [value >> 7 * place & 0x7F for place in range(size)]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def delimited(number: int, content: bytes, *, tag_size: int = 1, length_size: int = 5) -> bytes:
    """Return a length-delimited field, with varints that may be longer than they have to be."""
    return long_varint(number << 3 | 2, tag_size) + long_varint(len(content), length_size) + content


# Few letters and few keys, so that the interesting ones meet each other.

_KEYS = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.input.messages",
    "otel_carbon.status",
    "error.type",
    "server.address",
    "tenant.id",
    "app.colour",
)
_ENCODED_KEYS = tuple(
    KeyValue(key=key, value=AnyValue(int_value=777)).SerializeToString().decode("latin-1") for key in _KEYS[:7]
)
_TEXTS = st.sampled_from(
    ("", "chat", "openai", "gpt-4o", "estimated", "r1", "invoke_agent", "é😀", "x" * 200, *_KEYS, *_ENCODED_KEYS)
)
_SCALARS: st.SearchStrategy[Any] = st.one_of(
    _TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 5000),
    st.floats(),
    st.booleans(),
    st.binary(max_size=4),
    st.none(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)),
    max_leaves=4,
)


UNKNOWN_FIELDS = st.sampled_from((b"", b"\xf8\x3e\x05", b"\xfa\x3e\x03abc", b"\xfb\x3e\x08\x01\xfc\x3e", b"\x20\x01"))
"""Fields that no message of OTLP has: 999 as a number, as bytes and as a group, and 4 of the wrong kind."""


@st.composite
def key_values(draw: st.DrawFn) -> KeyValue:
    return KeyValue(key=draw(st.sampled_from(_KEYS)), value=any_value(draw(_VALUES)))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    return Span(
        trace_id=draw(st.sampled_from((bytes(15) + b"\x01", bytes(16), b"short", b"\x12\x08" * 8))),
        span_id=draw(st.one_of(st.integers(0, 6).map(lambda number: number.to_bytes(8, "big")), st.just(b""))),
        parent_span_id=draw(st.integers(0, 6).map(lambda number: number.to_bytes(8, "big"))),
        trace_state=draw(st.sampled_from(("", "ot=th:8", "vendor=1"))),
        name=draw(_TEXTS),
        kind=draw(st.integers(0, 5)),
        start_time_unix_nano=draw(st.sampled_from((0, STARTED, 2**64 - 1))),
        end_time_unix_nano=draw(st.sampled_from((0, STARTED + SECOND, 2**64 - 1))),
        attributes=draw(st.lists(key_values(), max_size=12)),
        events=[Span.Event(name=draw(_TEXTS), attributes=draw(st.lists(key_values(), max_size=2)))],
    )


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return requests with several resources and scopes, unknown fields on every level, and odd encodings."""
    odd = draw(st.booleans())

    def repeated(number: int, contents: Iterable[bytes]) -> bytes:
        sizes = {"tag_size": draw(st.integers(1, 3)), "length_size": 5} if odd else {}
        return b"".join(
            delimited(number, each, **sizes) if odd else b"".join(_canonical(number, each)) for each in contents
        )

    def scope() -> bytes:
        encoded = [span.SerializeToString() + draw(UNKNOWN_FIELDS) for span in draw(st.lists(spans(), max_size=4))]
        name = InstrumentationScope(name=draw(st.sampled_from((OPENAI_SCOPE, "", "my.app")))).SerializeToString()
        head = repeated(1, [name])
        parts = [head, draw(UNKNOWN_FIELDS), repeated(2, encoded)]
        return b"".join(draw(st.permutations(parts)))

    def resource() -> bytes:
        encoded = [Resource(attributes=draw(st.lists(key_values(), max_size=2))).SerializeToString() for _ in range(2)]
        parts = [
            repeated(1, encoded),
            draw(UNKNOWN_FIELDS),
            repeated(2, [scope() for _ in range(draw(st.integers(0, 2)))]),
        ]
        return b"".join(draw(st.permutations(parts)))

    return repeated(1, [resource() for _ in range(draw(st.integers(0, 2)))]) + draw(UNKNOWN_FIELDS)


def _canonical(number: int, content: bytes) -> tuple[bytes, bytes, bytes]:
    size, digits = len(content), bytearray()
    while size > 0x7F:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    digits.append(size)
    return bytes((number << 3 | 2,)), bytes(digits), content
