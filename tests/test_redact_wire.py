"""Redaction on the wire, against the same work done with protobuf objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_messages import messages
from otlp_requests import UNKNOWN_FIELDS, any_value, attributes, chat_span, delimited, requests, spans_of, traces

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.otlp_schema import REQUESTS, lenient
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.redacted_values import Substitute, keyed_hash
from otel_carbon.pipeline.redaction import Redactor
from otel_carbon.pipeline.wire import varint
from otel_carbon.spans.content import ContentKeys

KEYS = ContentKeys.bundled()
REDACTORS: dict[str, Redactor] = {
    "drop": Redactor(KEYS, None),
    "hash": Redactor(KEYS, keyed_hash(b"0123456789abcdef")),
}
SUBSTITUTES: dict[str, Substitute | None] = {"drop": None, "hash": keyed_hash(b"0123456789abcdef")}

# What the objects go by is written out here, and not asked of the code that is tested.
EVERYWHERE = (
    "gen_ai.input.messages",
    "ai.prompt.messages",
    "llm.input_messages.0.message.content",
    "llm.openai.messages",
)
SCOPED = {"pydantic-ai": ("final_result", "tool_arguments"), "litellm": ("llm.cohere.text", "llm.gemini.contents")}
IN_EVENTS = ("content", "message", "tool_calls")
NEVER = ("gen_ai.request.model", "llm.input_messages.0.message.role", "llm.openai.usage", "llm.is_streaming", "app.a")
INSIDE = "llm.invocation_parameters"
ALL_KEYS = (
    *EVERYWHERE,
    *SCOPED["pydantic-ai"],
    *SCOPED["litellm"],
    *IN_EVENTS,
    *NEVER,
    INSIDE,
    "event.name",
    "x" * 200,
)
SCOPES = ("pydantic-ai", "litellm", "my.app", "")
EVENTS = ("gen_ai.user.message", "gen_ai.choice", "exception", "")

SETTINGS = st.dictionaries(
    st.sampled_from(("model", "temperature", "tools", "stop")),
    st.sampled_from(("gpt-4o", "say ai.prompt", 0.5, 3, True, None, [{"name": "f"}], {"model": "x", "n": 1})),
)
VALUES = st.one_of(
    st.sampled_from(("", "hello", "gen_ai.choice", "ai.prompt.messages", "é😀", "x" * 200)),
    SETTINGS,
    SETTINGS.map(json.dumps),
    st.lists(st.integers(0, 3), max_size=2),
    st.integers(-1, 300),
    st.floats(allow_nan=False),
    st.binary(max_size=3),
    st.booleans(),
    st.none(),
)
key_values = st.builds(lambda key, value: KeyValue(key=key, value=any_value(value)), st.sampled_from(ALL_KEYS), VALUES)


def odd(key_value: KeyValue) -> bytes:
    """Return a `KeyValue` as no SDK writes it, but as protobuf reads it."""
    key, value = key_value.key.encode(), key_value.value.SerializeToString()
    return delimited(2, b"\x12\x01z", length_size=2) + delimited(1, b"app.a") + delimited(2, value) + delimited(1, key)


@st.composite
def encoded_attributes(draw: st.DrawFn, number: int) -> bytes:
    found = draw(st.lists(key_values, max_size=5))
    return b"".join(draw(st.sampled_from(in_every_way(number, each))) for each in found)


def in_every_way(number: int, attribute: KeyValue) -> tuple[bytes, ...]:
    usual = attribute.SerializeToString()
    as_sdks_do = varint(number << 3 | 2) + varint(len(usual)) + usual
    return as_sdks_do, delimited(number, usual), delimited(number, odd(attribute), length_size=3)


SIZES = st.integers(3, 5)


@st.composite
def encoded_spans(draw: st.DrawFn) -> bytes:
    event = Span.Event(name=draw(st.sampled_from(EVENTS)), time_unix_nano=5).SerializeToString()
    link = Span.Link(trace_id=bytes(16)).SerializeToString()
    parts = [
        Span(trace_id=bytes(15) + b"\x01", span_id=b"12345678", name="chat").SerializeToString(),
        draw(encoded_attributes(9)),
        delimited(11, b"".join(draw(st.permutations([event, draw(encoded_attributes(3)), draw(UNKNOWN_FIELDS)])))),
        delimited(13, link + draw(encoded_attributes(4))),
        draw(UNKNOWN_FIELDS),
        draw(encoded_attributes(9)),
    ]
    return b"".join(draw(st.permutations(parts)))


@st.composite
def encoded_records(draw: st.DrawFn) -> bytes:
    body = LogRecord(body=any_value(draw(VALUES))).SerializeToString()
    pairs = LogRecord(body=any_value({draw(st.sampled_from(ALL_KEYS)): draw(VALUES)})).SerializeToString()
    name = LogRecord(event_name=draw(st.sampled_from(EVENTS))).SerializeToString()
    event = LogRecord(attributes=attributes({"event.name": draw(st.sampled_from(EVENTS))})).SerializeToString()
    parts = [body, pairs, name, draw(st.sampled_from((event, b""))), draw(encoded_attributes(6)), draw(UNKNOWN_FIELDS)]
    return b"".join(draw(st.permutations(parts))[: draw(st.integers(0, 6))])


@st.composite
def encoded_requests(draw: st.DrawFn, items: st.SearchStrategy[bytes]) -> bytes:
    def scope() -> bytes:
        name = InstrumentationScope(name=draw(st.sampled_from(SCOPES))).SerializeToString()
        each = [delimited(2, item, length_size=draw(SIZES)) for item in draw(st.lists(items, max_size=3))]
        return b"".join(draw(st.permutations([delimited(1, name), draw(UNKNOWN_FIELDS), b"".join(each)])))

    resource = b"".join(delimited(2, scope()) for _ in range(draw(st.integers(0, 2))))
    return delimited(1, draw(UNKNOWN_FIELDS) + resource) + draw(UNKNOWN_FIELDS)


@given(encoded_requests(encoded_spans()), st.sampled_from(("drop", "hash")))
def test_spans_become_what_protobuf_objects_become(body: bytes, mode: str) -> None:
    request = lenient(REQUESTS[Signal.TRACES]).FromString(body)
    for scope in (scope for resource in request.resource_spans for scope in resource.scope_spans):
        special = SCOPED.get(scope.scope.name.decode(), ())
        for span in scope.spans:
            edit(span.attributes, (*EVERYWHERE, *special), mode)
            for event in span.events:
                more = IN_EVENTS if event.name.startswith(b"gen_ai.") else ()
                edit(event.attributes, (*EVERYWHERE, *special, *more), mode)
            for link in span.links:
                edit(link.attributes, (*EVERYWHERE, *special), mode)

    check(Signal.TRACES, body, request, mode)


@given(encoded_requests(encoded_records()), st.sampled_from(("drop", "hash")))
def test_log_records_become_what_protobuf_objects_become(body: bytes, mode: str) -> None:
    request = lenient(REQUESTS[Signal.LOGS]).FromString(body)
    for scope in (scope for resource in request.resource_logs for scope in resource.scope_logs):
        special = (*EVERYWHERE, *SCOPED.get(scope.scope.name.decode(), ()))
        for record in scope.log_records:
            edit_record(record, special, mode)

    check(Signal.LOGS, body, request, mode)


@given(requests())
def test_what_has_no_content_passes_byte_for_byte(body: bytes) -> None:
    redacted, items = REDACTORS["drop"].redact(Signal.TRACES, body)

    has_content = any(
        each.key == "gen_ai.input.messages"
        for span in spans_of(body)
        for attributes in (span.attributes, *(event.attributes for event in span.events))
        for each in attributes
    )
    assert (items > 0) is has_content
    assert (redacted == body) is not has_content


@given(st.binary(max_size=60), st.sampled_from((Signal.TRACES, Signal.LOGS)))
def test_garbage_is_refused_or_passes_and_nothing_else(tail: bytes, signal: Signal) -> None:
    body = traces(chat_span(extra={"ai.prompt": "hello"})).SerializeToString() + tail
    with suppress(InvalidDataError):
        REDACTORS["drop"].redact(signal, body)


@given(messages(LogRecord))
def test_no_log_record_stops_it(record: LogRecord) -> None:
    inner = delimited(2, record.SerializeToString())
    body = delimited(1, delimited(2, delimited(1, b"\x0a\x07litellm") + inner))

    REDACTORS["hash"].redact(Signal.LOGS, body)


def test_metrics_are_not_touched() -> None:
    exemplar = Exemplar(filtered_attributes=attributes({"gen_ai.prompt": "hello"}), as_int=1)
    point = NumberDataPoint(as_int=1, attributes=attributes({"gen_ai.prompt": "hello"}), exemplars=[exemplar])
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.append(Metric(name="m", gauge=Gauge(data_points=[point])))
    body = request.SerializeToString()

    assert REDACTORS["drop"].redact(Signal.METRICS, body) == (body, 0)


@pytest.mark.parametrize("kind", ["invoke_agent", "execute_tool", "chat"])
def test_spans_that_are_no_calls_lose_their_content_too(kind: str) -> None:
    span = chat_span(extra={"gen_ai.operation.name": kind, "gen_ai.tool.call.result": 42, "app.a": "stays"})
    foreign = Span(name="GET /", attributes=attributes({"input.value": "hello", "http.route": "/"}))

    redacted, items = REDACTORS["drop"].redact(Signal.TRACES, traces(span, foreign).SerializeToString())

    first, second = spans_of(redacted)
    assert items == 2
    assert "gen_ai.tool.call.result" not in {each.key for each in first.attributes}
    assert first.attributes[-1].key == "app.a"
    assert [each.key for each in second.attributes] == ["http.route"]


def test_exceptions_stay() -> None:
    event = Span.Event(name="exception", attributes=attributes({"exception.message": "bad", "content": "length"}))
    body = traces(chat_span(events=[event])).SerializeToString()

    assert REDACTORS["drop"].redact(Signal.TRACES, body) == (body, 0)


def test_of_settings_only_texts_and_lists_go() -> None:
    settings = {"model": "gpt-4o", "temperature": 0.5, "instructions": "be brief", "tools": [{"name": "f"}]}
    body = traces(chat_span(extra={INSIDE: json.dumps(settings)})).SerializeToString()

    (dropped,), (hashed,) = (spans_of(REDACTORS[mode].redact(Signal.TRACES, body)[0]) for mode in ("drop", "hash"))

    assert json.loads(dropped.attributes[-1].value.string_value) == {"model": "gpt-4o", "temperature": 0.5}
    written = json.loads(hashed.attributes[-1].value.string_value)
    assert written["instructions"] == SUBSTITUTES["hash"]("be brief")  # type: ignore[misc]
    assert written["tools"] == SUBSTITUTES["hash"]([{"name": "f"}])  # type: ignore[misc]


def edit(found: Any, content: Iterable[str], mode: str) -> None:
    """Edit the attributes of one span, event, link or record in place."""
    kept = [each for before in found if (each := edited(before, frozenset(content), SUBSTITUTES[mode])) is not None]
    del found[:]
    found.extend(kept)


def edited(attribute: Any, content: frozenset[str], substitute: Substitute | None) -> Any:
    key = attribute.key.decode()
    value = plain(attribute.value)
    if key == INSIDE:
        return with_settings(attribute, value, substitute)
    if key not in content:
        return attribute
    return None if substitute is None else written(attribute, substitute(value))


def with_settings(attribute: Any, value: Any, substitute: Substitute | None) -> Any:
    settings = value
    if isinstance(value, str):
        try:
            settings = json.loads(value)
        except ValueError:
            settings = None
    if not isinstance(settings, dict):
        return None if substitute is None else written(attribute, substitute(value))
    thinned = thin(settings, substitute, top=True)
    return attribute if thinned == settings else written(attribute, json.dumps(thinned, separators=(",", ":")))


def thin(settings: dict[str, Any], substitute: Substitute | None, *, top: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        is_model = top and key == "model" and isinstance(value, str)
        if value is None or isinstance(value, bool | int | float) or is_model:
            found[key] = value
        elif isinstance(value, dict):
            found[key] = thin(value, substitute)
        elif substitute is not None:
            found[key] = substitute(value)
    return found


def written(attribute: Any, text: str) -> Any:
    return type(attribute)(key=attribute.key, value=type(attribute.value)(string_value=text.encode()))


def edit_record(record: Any, content: tuple[str, ...], mode: str) -> None:
    substitute = SUBSTITUTES[mode]
    named = [each.value.string_value for each in record.attributes if each.key == b"event.name"]
    names = [record.event_name.decode(), *(name.decode() for name in named[:1])]
    if not any(name.startswith("gen_ai.") for name in names):
        edit(record.attributes, content, mode)
        if record.body.WhichOneof("value") == "kvlist_value":
            edit(record.body.kvlist_value.values, content, mode)
        return
    edit(record.attributes, (*content, *IN_EVENTS), mode)
    said = plain(record.body)
    if said not in (None, "", (), {}) and said not in names:
        record.ClearField("body")
        if substitute is not None:
            record.body.string_value = substitute(said).encode()


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {each.key.decode(): plain(each.value) for each in reversed(value.kvlist_value.values)}
    if kind == "array_value":
        return tuple(plain(each) for each in value.array_value.values)
    if kind == "string_value":
        return value.string_value.decode()
    return getattr(value, kind) if kind else None


def check(signal: Signal, body: bytes, expected: Any, mode: str) -> None:
    redacted, items = REDACTORS[mode].redact(signal, body)
    read: Callable[[bytes], Any] = lenient(REQUESTS[signal]).FromString
    untouched = expected.SerializeToString() == read(body).SerializeToString()

    assert read(redacted).SerializeToString() == expected.SerializeToString()
    assert (items == 0) is (redacted == body)
    # A body that comes twice is what the last one says; what an earlier one said goes all the same.
    assert (redacted == body) is untouched or (signal is Signal.LOGS and untouched)
