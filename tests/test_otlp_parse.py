from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from otlp_requests import (
    OPENAI_SCOPE,
    STARTED,
    any_value,
    attributes,
    chat_attributes,
    chat_span,
    delimited,
    requests,
    traces,
    web_span,
)

from otel_carbon.errors import InvalidDataError
from otel_carbon.model import Attribution, Call, Mark, Sighting, SpanIdentity, Usage
from otel_carbon.model import Status as MarkStatus
from otel_carbon.pipeline.otlp import parse, rejections, sightings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.spans import SpanReader

READER = SpanReader.bundled()
TRACE_ID = "0" * 31 + "1"
OPENAI_CALL = Call(
    operation="chat",
    provider="openai",
    model="gpt-4o-2024-11-20",
    request_model="gpt-4o",
    usage=Usage(uncached_input_tokens=1200, visible_output_tokens=345),
    latency_s=1.0,
    at_unix_nano=STARTED,
)


def sighting_of(span: Any, **around: Any) -> Sighting:
    (found,) = sightings(traces(span, **around).SerializeToString(), READER)
    return found


def test_spans_are_counted_over_resources_and_scopes() -> None:
    request = traces(web_span(1), chat_span(2))
    request.MergeFrom(traces(web_span(3)))
    body = request.SerializeToString()

    assert parse(Signal.TRACES, body) == Payload(Signal.TRACES, body, 3)


def test_data_points_of_every_kind_of_metric_are_counted() -> None:
    kinds = [
        metrics.Metric(name="g", gauge=metrics.Gauge(data_points=[metrics.NumberDataPoint(as_int=1)])),
        metrics.Metric(name="s", sum=metrics.Sum(data_points=[metrics.NumberDataPoint(), metrics.NumberDataPoint()])),
        metrics.Metric(name="h", histogram=metrics.Histogram(data_points=[metrics.HistogramDataPoint()])),
        metrics.Metric(
            name="e",
            exponential_histogram=metrics.ExponentialHistogram(data_points=[metrics.ExponentialHistogramDataPoint()]),
        ),
        metrics.Metric(name="q", summary=metrics.Summary(data_points=[metrics.SummaryDataPoint()])),
        metrics.Metric(name="nothing"),
    ]
    scope = metrics.ScopeMetrics(metrics=kinds)
    request = ExportMetricsServiceRequest(resource_metrics=[metrics.ResourceMetrics(scope_metrics=[scope])])

    assert parse(Signal.METRICS, request.SerializeToString()).items == 6


def test_log_records_are_counted() -> None:
    scope = ScopeLogs(log_records=[LogRecord(body=any_value("one")), LogRecord()])
    request = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scope, ScopeLogs()])])

    assert parse(Signal.LOGS, request.SerializeToString()).items == 2


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_body_is_an_empty_request(signal: Signal) -> None:
    assert parse(signal, b"") == Payload(signal, b"", 0)


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (Signal.TRACES, "ExportTraceServiceRequest"),
        (Signal.METRICS, "ExportMetricsServiceRequest"),
        (Signal.LOGS, "ExportLogsServiceRequest"),
    ],
)
@pytest.mark.parametrize("body", [b"garbage", b"{}", b"\x0a\xff", b"\xff" * 20, b"\x0a\x02\x12\x05"])
def test_what_is_no_request_is_refused_by_name(signal: Signal, name: str, body: bytes) -> None:
    with pytest.raises(InvalidDataError, match=f"not a protobuf message of the type {name}"):
        parse(signal, body)


@given(st.binary(max_size=60))
def test_bytes_are_taken_exactly_when_protobuf_takes_them_but_for_utf8(body: bytes) -> None:
    try:
        expected = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return
    assert parse(Signal.TRACES, body).items == sum(
        len(scope.spans) for resource in expected.resource_spans for scope in resource.scope_spans
    )


def test_a_text_that_is_not_utf8_does_not_cost_the_request() -> None:
    cut = b"\x22\x00" + delimited(5, b"caf\xc3")
    body = delimited(1, delimited(2, delimited(2, chat_span(1).SerializeToString() + cut)))
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(body)

    assert parse(Signal.TRACES, body) == Payload(Signal.TRACES, body, 1)
    assert [found.call for found in sightings(body, READER)] == [OPENAI_CALL]


def test_values_nested_deeper_than_protobuf_allows_are_refused() -> None:
    value = b""
    for _ in range(200):
        value = delimited(5, delimited(1, value))
    body = delimited(1, delimited(2, delimited(2, delimited(9, delimited(1, b"a") + delimited(2, value)))))

    with pytest.raises(InvalidDataError):
        parse(Signal.TRACES, body)


def test_a_call_is_sighted_with_everything_around_it() -> None:
    span = chat_span(
        2,
        parent_span_id=b"parent!!",
        trace_state="ot=th:c",
        status=Status(code=Status.STATUS_CODE_ERROR),
        extra={"tenant.id": "acme", "gen_ai.response.id": "r1"},
    )

    found = sighting_of(span, resource={"service.name": "shop", "cloud.region": "eu-west-1", "project.id": "p"})

    assert found == Sighting(
        SpanIdentity(TRACE_ID, "0000000000000002", b"parent!!".hex()),
        STARTED,
        STARTED + 1_000_000_000,
        Attribution(service="shop", tenant="acme", project="p"),
        Call(
            operation="chat",
            provider="openai",
            model="gpt-4o-2024-11-20",
            request_model="gpt-4o",
            usage=Usage(uncached_input_tokens=1200, visible_output_tokens=345),
            failed=True,
            caller_region="eu-west-1",
            latency_s=1.0,
            at_unix_nano=STARTED,
            response_id="r1",
        ),
        None,
        4.0,
        OPENAI_SCOPE,
    )


def test_a_parent_is_sighted_without_a_call() -> None:
    assert sighting_of(chat_span(extra={"gen_ai.operation.name": "invoke_agent"})).call is None


def test_a_mark_of_an_earlier_stage_is_sighted() -> None:
    marked = {"otel_carbon.status": "no_usage", "otel_carbon.confidence": "low"}

    assert sighting_of(chat_span(extra=marked)).mark == Mark(MarkStatus.NO_USAGE, confidence="low")


def test_spans_of_other_kinds_are_not_sighted() -> None:
    body = traces(web_span(1), web_span(2, name="gen_ai.operation.name")).SerializeToString()

    assert sightings(body, READER) == []


def test_attributes_of_events_and_links_are_not_those_of_the_span() -> None:
    span = web_span(1)
    span.events.add(name="gen_ai.choice", attributes=attributes(chat_attributes()))
    span.links.add(attributes=attributes(chat_attributes()))

    assert sightings(traces(span).SerializeToString(), READER) == []


def test_an_encoded_attribute_inside_a_prompt_is_only_text() -> None:
    forged = attributes({"gen_ai.usage.output_tokens": 9_999_999})[0].SerializeToString()
    prompt = (b"J" + bytes((len(forged),)) + forged).decode("latin-1")
    span = chat_span(extra={"gen_ai.input.messages": prompt, "gen_ai.prompt": prompt * 100})

    assert sighting_of(span).call == OPENAI_CALL


@pytest.mark.parametrize("size", [0, 100, 5_000, 20_000])
def test_a_span_is_read_the_same_whatever_its_prompt_weighs(size: int) -> None:
    heavy = {"gen_ai.input.messages": "x" * size, "gen_ai.usage.cache_read.input_tokens": 200}
    span = chat_span(extra=heavy, name="n" * size, status=Status(code=Status.STATUS_CODE_ERROR, message="m" * size))
    span.events.add(name="e" * size)
    span.trace_state = "ot=th:8" if size else ""

    found = sighting_of(span)

    assert found.call is not None
    assert found.call.usage == Usage(uncached_input_tokens=1000, cache_read_tokens=200, visible_output_tokens=345)
    assert found.call.failed
    assert found.adjusted_count == (2.0 if size else 1.0)


def test_a_large_value_that_is_wanted_is_read() -> None:
    assert sighting_of(chat_span(extra={"gen_ai.response.id": "r" * 6_000})).call.response_id == "r" * 512  # type: ignore[union-attr] - it is a call


def test_a_large_attribute_that_names_its_key_last_is_read_as_protobuf_reads_it() -> None:
    late = delimited(9, delimited(1, b"other") + delimited(2, delimited(1, b"x" * 5_000)) + delimited(1, b"error.type"))
    body = delimited(1, delimited(2, delimited(2, chat_span().SerializeToString() + late)))

    (found,) = sightings(body, READER)
    assert found.call is not None
    assert found.call.failed


def test_one_attribute_of_ten_megabytes_is_taken() -> None:
    body = traces(chat_span(extra={"gen_ai.input.messages": "x" * 10_000_000})).SerializeToString()

    assert parse(Signal.TRACES, body).items == 1
    assert [found.call for found in sightings(body, READER)] == [OPENAI_CALL]


def test_a_hundred_thousand_attributes_on_one_span_are_taken() -> None:
    many = {f"app.attribute{number}": number for number in range(100_000)}
    body = traces(chat_span(extra=many)).SerializeToString()

    assert parse(Signal.TRACES, body).items == 1
    assert [found.call for found in sightings(body, READER)] == [OPENAI_CALL]


def test_of_a_token_count_that_occurs_twice_the_first_one_counts() -> None:
    span = chat_span()
    span.attributes.extend(attributes({"gen_ai.usage.output_tokens": 7}))

    assert sighting_of(span).call == OPENAI_CALL


def test_times_that_are_not_possible_do_no_harm() -> None:
    found = sighting_of(chat_span(start_time_unix_nano=2**64 - 1, end_time_unix_nano=1))

    assert (found.started_unix_nano, found.ended_unix_nano) == (2**64 - 1, 1)
    assert found.call is not None
    assert found.call.latency_s is None


@given(requests())
def test_reading_never_fails_on_what_parse_has_taken(body: bytes) -> None:
    parse(Signal.TRACES, body)

    for found in sightings(body, READER):
        assert len(found.span.trace_id) == 32
        assert len(found.span.span_id) == 16
    assert rejections(body, READER)[0] >= 0


@pytest.mark.parametrize(
    "ids",
    [{"trace_id": b""}, {"trace_id": bytes(16)}, {"trace_id": b"x" * 15}, {"span_id": bytes(8)}, {"span_id": b"x" * 9}],
)
def test_a_call_without_proper_ids_is_rejected_and_not_sighted(ids: dict[str, bytes]) -> None:
    body = traces(chat_span(1), chat_span(2, **ids)).SerializeToString()

    count, message = rejections(body)

    assert count == 1
    assert message.startswith("span 'chat gpt-4o' with trace id ")
    assert len(sightings(body, READER)) == 1


def test_the_message_names_the_first_and_counts_the_others() -> None:
    body = traces(*(chat_span(n, trace_id=b"ab", name="n" * 500) for n in range(1, 4))).SerializeToString()

    count, message = rejections(body)

    assert count == 3
    assert message == (
        f"span '{'n' * 100}' with trace id '6162' and span id '0000000000000001' cannot be accounted for "
        "(2 more like it): a trace id has 16 bytes and a span id 8, not all of them zero"
    )


def test_ids_that_come_late_in_a_span_are_found() -> None:
    span = chat_span(1)
    ids = delimited(1, span.trace_id) + delimited(2, span.span_id)
    span.trace_id = span.span_id = b""
    body = delimited(1, delimited(2, delimited(2, span.SerializeToString() + ids)))

    assert rejections(body) == (0, "")
    assert len(sightings(body, READER)) == 1


def test_other_spans_pass_whatever_their_ids() -> None:
    body = traces(web_span(1, trace_id=b""), web_span(2, span_id=b"", name="gen_ai.chat")).SerializeToString()

    assert rejections(body) == (0, "")


def test_an_agent_without_proper_ids_is_rejected_too() -> None:
    body = traces(chat_span(extra={"gen_ai.operation.name": "invoke_agent"}, trace_id=b"")).SerializeToString()

    assert rejections(body)[0] == 1
