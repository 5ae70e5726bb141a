"""What an `otlp` receiver answers: every signal, both encodings, and never more than a client takes."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from google.rpc.code_pb2 import Code
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.receivers._answer import (
    MAX_RESPONSE_BYTES,
    Partial,
    ResponseTooLarge,
    answer_json,
    answer_protobuf,
)
from otel_carbon.receivers._refusal import refusal, status_json, status_message

MESSAGES: dict[Signal, tuple[Any, str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejectedSpans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejectedDataPoints"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejectedLogRecords"),
}
EVERY_SIGNAL = pytest.mark.parametrize("signal", list(Signal), ids=str)
HUGE = Partial(3, "é" * (8 << 20))


@EVERY_SIGNAL
def test_both_encodings_say_the_same_of_every_signal(signal: Signal) -> None:
    response, rejected = MESSAGES[signal]
    partial = Partial(3, "bad ids")

    binary = response.FromString(answer_protobuf(signal, partial))

    assert MessageToDict(binary) == {"partialSuccess": {rejected: "3", "errorMessage": "bad ids"}}
    assert Parse(answer_json(signal, partial), response()) == binary


@EVERY_SIGNAL
def test_full_success_leaves_partial_success_unset(signal: Signal) -> None:
    assert (answer_protobuf(signal, None), answer_json(signal, None)) == (b"", b"{}")


@EVERY_SIGNAL
def test_a_warning_has_nothing_rejected_and_a_message(signal: Signal) -> None:
    response, _ = MESSAGES[signal]

    answer = response.FromString(answer_protobuf(signal, Partial(0, "mind the gap")))

    assert answer.HasField("partial_success")
    assert MessageToDict(answer) == {"partialSuccess": {"errorMessage": "mind the gap"}}
    assert json.loads(answer_json(signal, Partial(0, "mind the gap")))["partialSuccess"][MESSAGES[signal][1]] == "0"


@EVERY_SIGNAL
def test_a_message_is_cut_until_the_answer_fits(signal: Signal) -> None:
    response, rejected = MESSAGES[signal]

    binary, text = answer_protobuf(signal, HUGE), answer_json(signal, HUGE)

    assert MAX_RESPONSE_BYTES // 4 < len(binary) <= MAX_RESPONSE_BYTES
    assert MAX_RESPONSE_BYTES // 4 < len(text) <= MAX_RESPONSE_BYTES
    for said in (MessageToDict(response.FromString(binary)), json.loads(text)):
        assert said["partialSuccess"][rejected] == "3"
        assert set(said["partialSuccess"]["errorMessage"]) == {"é"}


@EVERY_SIGNAL
def test_what_fits_in_no_way_is_an_error_and_not_cut_to_nothing(signal: Signal) -> None:
    for answer in (answer_protobuf, answer_json):
        with pytest.raises(ResponseTooLarge, match="larger than the limit of 5 bytes"):
            answer(signal, HUGE, 5)


def test_an_answer_that_fits_in_no_way_is_resource_exhausted_and_500(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "otel_carbon")

    answer = refusal(ResponseTooLarge("the response is larger than the limit of 5 bytes"))

    assert (answer.code, answer.http_status, answer.retry_after_s) == (Code.RESOURCE_EXHAUSTED, 500, None)
    assert caplog.records == []


def test_an_error_of_any_length_is_answered_within_the_limit() -> None:
    answer = refusal(InvalidDataError("\0" * (16 << 20)))

    assert len(status_message(answer).SerializeToString()) < MAX_RESPONSE_BYTES
    assert len(status_json(answer)) < MAX_RESPONSE_BYTES
