from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_json_documents import decoded_metric, decoded_span
from otlp_messages import as_json, messages

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.otlp_json import decode
from otel_carbon.pipeline.pdata import Signal

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}


@pytest.mark.parametrize("signal", Signal)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_message_that_the_specification_can_write_is_read_back(signal: Signal, data: st.DataObject) -> None:
    message = data.draw(messages(REQUESTS[signal]))
    document = json.dumps(as_json(message, data.draw))

    body = decode(signal, document.encode())

    # Serialized, because NaN does not equal itself.
    assert REQUESTS[signal].FromString(body).SerializeToString() == message.SerializeToString()
    assert parse(signal, body).body == body


@pytest.mark.parametrize("write", [str.lower, str.upper])
def test_ids_are_hexadecimal_in_any_case(write: Any) -> None:
    link = {"traceId": write(TRACE_ID), "spanId": write(SPAN_ID)}

    span = decoded_span(**link, parentSpanId=write(SPAN_ID), links=[link])

    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID, SPAN_ID)
    assert (span.links[0].trace_id.hex(), span.links[0].span_id.hex()) == (TRACE_ID, SPAN_ID)


def test_ids_of_log_records_and_exemplars_are_hexadecimal_too() -> None:
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": TRACE_ID, "spanId": SPAN_ID}]}]}]}
    record = ExportLogsServiceRequest.FromString(decode(Signal.LOGS, json.dumps(logs).encode()))
    assert record.resource_logs[0].scope_logs[0].log_records[0].trace_id.hex() == TRACE_ID

    metric = decoded_metric(gauge={"dataPoints": [{"exemplars": [{"traceId": TRACE_ID, "spanId": SPAN_ID}]}]})
    assert metric.gauge.data_points[0].exemplars[0].span_id.hex() == SPAN_ID


@pytest.mark.parametrize("bad", ["5b8efff798038103d269b633813fc60", "xx", "5b 8e", "ZZ", "é"])
def test_an_id_that_is_not_hexadecimal_is_refused_with_its_place(bad: str) -> None:
    with pytest.raises(
        InvalidDataError, match=r"\$\.resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.traceId is not hexadecimal$"
    ):
        decoded_span(traceId=bad)


def test_enumerations_are_numbers_also_ones_not_known_here() -> None:
    assert decoded_span(kind=3, status={"code": 2}).kind == Span.SPAN_KIND_CLIENT
    assert decoded_span(kind=99).kind == 99


def test_names_of_enumerations_are_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"spans\[0\]\.kind is a name where OTLP/JSON has the number"):
        decoded_span(kind="SPAN_KIND_CLIENT")
    with pytest.raises(InvalidDataError, match=r"status\.code is a name"):
        decoded_span(status={"code": "STATUS_CODE_ERROR"})


def test_unknown_names_are_ignored() -> None:
    assert decoded_span(name="a", future={"x": [1, None]}, other=None) == Span(name="a")


def test_names_in_snake_case_are_unknown_names() -> None:
    assert decoded_span(trace_id=TRACE_ID, start_time_unix_nano="5", name="a") == Span(name="a")


def test_null_is_as_absent() -> None:
    assert decoded_span(name=None, traceId=None, attributes=None, status=None, kind=None) == Span()


def test_of_a_name_that_occurs_twice_the_last_value_counts() -> None:
    body = b'{"resourceSpans":[],"resourceSpans":[{"schemaUrl":"a","schemaUrl":"b"}]}'

    request = ExportTraceServiceRequest.FromString(decode(Signal.TRACES, body))
    assert [each.schema_url for each in request.resource_spans] == ["b"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"\$ is not an object"),
        (None, r"\$ is not an object"),
        ({"resourceSpans": {}}, r"\$\.resourceSpans is not an array"),
        ({"resourceSpans": [{}, 7]}, r"\$\.resourceSpans\[1\] is not an object"),
        ({"resourceSpans": [None]}, r"\$\.resourceSpans\[0\] is not an object"),
        ({"resourceSpans": [{"resource": []}]}, r"\$\.resourceSpans\[0\]\.resource is not an object"),
        ({"resourceSpans": [{"schemaUrl": 7}]}, r"\$\.resourceSpans\[0\]\.schemaUrl is not a string"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(document: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=f"^not an OTLP/JSON request: {message}$"):
        decode(Signal.TRACES, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\x0a\x05hello", "Expecting value"),
        (b"\xff\xfe\xfa", "it is not utf-16"),
        (b'{"a": "\xc3"}', "it is not utf-8, see byte 7"),
        (b'{"a": NaN}', "NaN is not JSON, it has to be written as a string"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b"[" * 200_000, "it is nested too deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "Exceeds the limit"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError, match=f"^not a JSON document: .*{reason}"):
        decode(Signal.TRACES, body)


def nested_value(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": "1"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def test_values_may_be_nested_as_deep_as_protobuf_allows_and_no_deeper() -> None:
    def span_with(depth: int) -> bytes:
        document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"value": nested_value(depth)}]}]}]}]}
        return decode(Signal.TRACES, json.dumps(document).encode())

    deepest = max(depth for depth in range(60) if not _refused(span_with, depth))

    # Two messages for each array, inside six others: request, resource, scope, span, attribute, value.
    assert deepest == 47
    assert parse(Signal.TRACES, span_with(deepest)).items == 1
    with pytest.raises(InvalidDataError, match=r"values\[0\]\.arrayValue is nested more than 100 messages deep$"):
        span_with(deepest + 1)


def _refused(work: Any, depth: int) -> bool:
    try:
        work(depth)
    except InvalidDataError:
        return True
    return False


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("aé", max_size=3), lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(("resourceSpans", "scopeSpans", "spans", "traceId", "kind", "attributes", "key",
                                       "value", "intValue", "x")), inner, max_size=3)
), max_leaves=12))  # fmt: skip
def test_any_json_is_read_or_refused(document: Any) -> None:
    try:
        body = decode(Signal.TRACES, json.dumps(document).encode())
    except InvalidDataError as error:
        assert "$" in str(error)  # noqa: PT017 - most documents are refused, some are not
        return
    parse(Signal.TRACES, body)
