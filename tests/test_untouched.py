"""What is not a GenAI leaf passes byte for byte: generated and recorded requests of every signal, unknown fields too.

The processors edit bytes. What they did is looked at from outside, by a reader of the wire format that knows nothing of
theirs, and by protobuf objects. `DIFFERENTIAL_EXAMPLES=100000` makes a campaign of it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from captures import captures, logs_requests
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from otlp_messages import messages
from otlp_requests import UNKNOWN_FIELDS, requests
from wire_difference import Field, added_fields, changed_fields, inflated

from otel_carbon.pipeline.component import Processor, Settings
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.otlp_schema import REQUESTS, lenient
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors import carbon, redact

_MESSAGES: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_CARBON = carbon.FACTORY.create(carbon.Config(), Settings("carbon", {}, {}))
_REDACT = redact.FACTORY.create(redact.Config(content="drop"), Settings("redact", {}, {}))
_HOLDERS = {
    f"ExportTraceServiceRequest.ResourceSpans.ScopeSpans.Span{rest}": numbers
    for rest, numbers in (("", {5, 9}), (".Event", {3}), (".Link", {4}))
} | {"ExportLogsServiceRequest.ResourceLogs.ScopeLogs.LogRecord": {5, 6}}
"""Where redaction may change fields: attributes, the body of a log record, the name of a span that quotes a task."""

many = settings(max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "40")))


@st.composite
def generated(draw: st.DrawFn, signal: Signal) -> bytes:
    """Return a random request, as protobuf writes it or with unknown fields and long lengths on every level."""
    message = draw(messages(_MESSAGES[signal]))
    if draw(st.booleans()):
        return message.SerializeToString()
    unknown = itertools.cycle(draw(st.lists(UNKNOWN_FIELDS, min_size=1, max_size=5)))
    return inflated(message.DESCRIPTOR, message.SerializeToString(), unknown)


def recorded(signal: Signal) -> Iterator[bytes]:
    if signal is Signal.LOGS:
        yield from itertools.chain.from_iterable(logs_requests().values())
    else:
        yield from (body for capture in captures() for body in capture.bodies)


def processed(by: Processor, signal: Signal, body: bytes) -> Payload:
    return by.process(parse(signal, body))


def check_carbon_only_adds_its_attributes(body: bytes) -> int:
    """Return how many attributes were added."""
    after = processed(_CARBON, Signal.TRACES, body).body

    added = added_fields(ExportTraceServiceRequest.DESCRIPTOR, body, after)
    for each in added:
        assert (each.path, each.number) == ("ExportTraceServiceRequest.ResourceSpans.ScopeSpans.Span", 9)
        assert KeyValue.FromString(each.content).key.startswith("otel_carbon.")
    assert len(after) > len(body) or after == body
    assert without_marks(after, added) == without_marks(body, ())
    return len(added)


def without_marks(body: bytes, added: Sequence[Field]) -> bytes:
    """Return a request as protobuf objects write it, without the attributes that were added to its spans."""
    request = lenient(REQUESTS[Signal.TRACES]).FromString(body)
    marks = {KeyValue.FromString(each.content).SerializeToString() for each in added}
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                while marks and span.attributes and span.attributes[-1].SerializeToString() in marks:
                    del span.attributes[-1]
    return bytes(request.SerializeToString())


@many
@given(requests())
def test_carbon_adds_its_attributes_and_changes_nothing_else(body: bytes) -> None:
    check_carbon_only_adds_its_attributes(body)


@many
@given(generated(Signal.TRACES))
def test_carbon_leaves_random_traces_alone(body: bytes) -> None:
    check_carbon_only_adds_its_attributes(body)


def test_carbon_adds_its_attributes_to_recorded_traces_and_changes_nothing_else() -> None:
    added = [check_carbon_only_adds_its_attributes(body) for body in recorded(Signal.TRACES)]

    assert sum(map(bool, added)) > 100


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS], ids=str)
def test_carbon_passes_other_signals_as_they_are(signal: Signal) -> None:
    @many
    @given(generated(signal))
    def check(body: bytes) -> None:
        assert processed(_CARBON, signal, body).body is body

    check()


def test_carbon_passes_recorded_logs_as_they_are() -> None:
    for body in recorded(Signal.LOGS):
        assert processed(_CARBON, Signal.LOGS, body).body is body


@many
@given(generated(Signal.METRICS))
def test_redaction_passes_metrics_as_they_are(body: bytes) -> None:
    assert processed(_REDACT, Signal.METRICS, body).body is body


def taken_out(signal: Signal, body: bytes) -> list[Field]:
    """Return what redaction took out, after checking that it stood where content may stand."""
    found = changed_fields(_MESSAGES[signal].DESCRIPTOR, body, processed(_REDACT, signal, body).body)
    for each in found:
        assert each.number in _HOLDERS[each.path], each
    return found


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS], ids=str)
def test_redaction_takes_out_attributes_and_bodies_and_changes_nothing_else(signal: Signal) -> None:
    @many
    @given(requests() | generated(signal) if signal is Signal.TRACES else generated(signal))
    def check(body: bytes) -> None:
        taken_out(signal, body)

    check()


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS], ids=str)
def test_redaction_of_recorded_requests_changes_nothing_else(signal: Signal) -> None:
    found = [taken_out(signal, body) for body in recorded(signal)]

    assert sum(map(bool, found)) > {Signal.TRACES: 100, Signal.LOGS: 3}[signal]
