"""One request becomes several that together say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.wire_split import cut

LARGE = 1 << 40
UNKNOWN = b"\xba\x3e\x03new"  # field 999, delimited


def spans_of(body: bytes) -> list[tuple[str, str, str, str]]:
    """Return resource, scope, schema and name of every span, in order."""
    return [
        (resource.resource.attributes[0].value.string_value, scope.scope.name, scope.schema_url, span.name)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def trace_request(layout: list[list[int]]) -> bytes:
    request = ExportTraceServiceRequest()
    for r, scopes in enumerate(layout):
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = f"service {r}"
        for s, spans in enumerate(scopes):
            scope = resource.scope_spans.add(schema_url=f"schema {s}")
            scope.scope.name = f"scope {r}.{s}"
            for number in range(spans):
                scope.spans.add(name=f"span {r}.{s}.{number}")
    return request.SerializeToString()


@given(
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=3),
    st.integers(1, 8),
    st.integers(40, 600),
)
def test_every_span_keeps_its_resource_scope_and_place(layout: list[list[int]], max_items: int, max_bytes: int) -> None:
    body = trace_request(layout)

    parts = cut(parse(Signal.TRACES, body), max_bytes=max_bytes, max_items=max_items)

    assert [span for part in parts for span in spans_of(part.body)] == spans_of(body)
    assert all(part.items == len(spans_of(part.body)) <= max_items for part in parts)
    assert all(len(part.body) <= max_bytes or part.items == 1 for part in parts)


def test_what_fits_stays_one_request_byte_for_byte() -> None:
    body = trace_request([[2, 1], [3]])

    assert [part.body for part in cut(parse(Signal.TRACES, body), max_bytes=LARGE, max_items=LARGE)] == [body]


def test_log_records_are_cut_as_spans_are() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(5):
        scope.log_records.add(severity_number=number)

    parts = cut(parse(Signal.LOGS, request.SerializeToString()), max_bytes=LARGE, max_items=2)

    assert [part.items for part in parts] == [2, 2, 1]
    assert _merged(ExportLogsServiceRequest, parts).resource_logs[2].scope_logs[0].log_records[0].severity_number == 4


@pytest.mark.parametrize("kind", ["gauge", "sum", "histogram", "exponential_histogram", "summary"])
def test_one_metric_is_cut_at_its_data_points_and_stays_the_metric_that_it_is(kind: str) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="By", description="d")
    data = getattr(metric, kind)
    for number in range(3):
        data.data_points.add(time_unix_nano=number)
    if hasattr(data, "aggregation_temporality"):
        data.aggregation_temporality = 2
    if hasattr(data, "is_monotonic"):
        data.is_monotonic = True

    parts = cut(parse(Signal.METRICS, request.SerializeToString()), max_bytes=LARGE, max_items=2)

    found = [ExportMetricsServiceRequest.FromString(part.body) for part in parts]
    metrics = [one.resource_metrics[0].scope_metrics[0].metrics[0] for one in found]
    assert [len(getattr(one, kind).data_points) for one in metrics] == [2, 1]
    for one in metrics:
        getattr(one, kind).ClearField("data_points")
    data.ClearField("data_points")
    assert metrics == [metric, metric]


def test_unknown_fields_go_along() -> None:
    request = ExportTraceServiceRequest.FromString(trace_request([[2]]))
    for message in (request, *request.resource_spans, *request.resource_spans[0].scope_spans):
        message.MergeFromString(UNKNOWN)

    first, second = cut(parse(Signal.TRACES, request.SerializeToString()), max_bytes=LARGE, max_items=1)

    assert (first.body.count(UNKNOWN), second.body.count(UNKNOWN)) == (3, 2)


def test_a_metric_of_a_kind_that_is_not_known_is_kept_whole() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="new").MergeFromString(UNKNOWN)
    scope.metrics.add(name="old").gauge.data_points.add(time_unix_nano=1)
    scope.metrics.add(name="older").gauge.data_points.add(time_unix_nano=2)

    parts = cut(parse(Signal.METRICS, request.SerializeToString()), max_bytes=LARGE, max_items=1)

    assert [part.items for part in parts] == [1, 1]
    assert UNKNOWN in parts[0].body
    names = [m.name for one in _merged(ExportMetricsServiceRequest, parts).resource_metrics for m in _metrics(one)]
    assert names == ["new", "old", "older"]


def test_the_tenant_goes_along() -> None:
    payload = Payload(Signal.TRACES, trace_request([[2]]), 2, tenant="acme")

    assert [part.tenant for part in cut(payload, max_bytes=LARGE, max_items=1)] == ["acme", "acme"]


@pytest.mark.parametrize("body", [b"\x0a\x05\x12", b"\x0a\x04\x12\x09ab", b"\x00\x01"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidDataError, match="not a protobuf message"):
        cut(Payload(Signal.TRACES, body, 1), max_bytes=1, max_items=1)


def _merged(kind: Any, parts: list[Payload]) -> Any:
    return kind.FromString(b"".join(part.body for part in parts))


def _metrics(resource: Any) -> Any:
    return [metric for scope in resource.scope_metrics for metric in scope.metrics]
