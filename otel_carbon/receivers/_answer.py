"""The `Export<Signal>ServiceResponse` of OTLP, in both encodings and never larger than a client has to take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_carbon.pipeline.pdata import Signal

__all__ = ["MAX_RESPONSE_BYTES", "Partial", "ResponseTooLarge", "answer_json", "answer_protobuf"]

MAX_RESPONSE_BYTES = 4 << 20
"""What OTLP 1.11 recommends as the limit of a response."""

_REJECTED_KEYS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "rejectedSpans", Signal.METRICS: "rejectedDataPoints", Signal.LOGS: "rejectedLogRecords"}
)


@dataclass(frozen=True, slots=True)
class Partial:
    """What of a request was not taken. With `rejected` 0 the message is a warning."""

    rejected: int
    message: str


class ResponseTooLarge(Exception):  # noqa: N818 - it is answered, and named as the answer says it
    """Not even with a shorter message does the response fit the limit. What was sent has been taken."""


def answer_protobuf(signal: Signal, partial: Partial | None, limit_bytes: int = MAX_RESPONSE_BYTES) -> bytes:
    """Return the response as protobuf: empty when all was taken.

    Raises:
        ResponseTooLarge: it does not fit the limit.
    """
    return b"" if partial is None else _fitting(_protobuf, signal, partial, limit_bytes)


def answer_json(signal: Signal, partial: Partial | None, limit_bytes: int = MAX_RESPONSE_BYTES) -> bytes:
    """Return the response as OTLP/JSON, where a 64-bit number is a string.

    Raises:
        ResponseTooLarge: it does not fit the limit.
    """
    return b"{}" if partial is None else _fitting(_json, signal, partial, limit_bytes)


def _fitting(encode: Callable[[Signal, Partial], bytes], signal: Signal, partial: Partial, limit_bytes: int) -> bytes:
    """Return the response with as much of its message as there is room for, and at least some of it."""
    answer = encode(signal, partial)
    while len(answer) > limit_bytes:
        partial = replace(partial, message=partial.message[: len(partial.message) // 2])
        if not partial.message:
            raise ResponseTooLarge(f"the response is larger than the limit of {limit_bytes} bytes")
        answer = encode(signal, partial)
    return answer


def _protobuf(signal: Signal, partial: Partial) -> bytes:
    match signal:
        case Signal.TRACES:
            spans = ExportTracePartialSuccess(rejected_spans=partial.rejected, error_message=partial.message)
            return ExportTraceServiceResponse(partial_success=spans).SerializeToString()
        case Signal.METRICS:
            points = ExportMetricsPartialSuccess(rejected_data_points=partial.rejected, error_message=partial.message)
            return ExportMetricsServiceResponse(partial_success=points).SerializeToString()
        case Signal.LOGS:
            records = ExportLogsPartialSuccess(rejected_log_records=partial.rejected, error_message=partial.message)
            return ExportLogsServiceResponse(partial_success=records).SerializeToString()


def _json(signal: Signal, partial: Partial) -> bytes:
    success = {_REJECTED_KEYS[signal]: str(partial.rejected), "errorMessage": partial.message}
    return json.dumps({"partialSuccess": success}).encode()
