"""The `Export<Signal>ServiceResponse` of OTLP, in both encodings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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

__all__ = ["Partial", "answer_json", "answer_protobuf"]

_REJECTED_KEYS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "rejectedSpans", Signal.METRICS: "rejectedDataPoints", Signal.LOGS: "rejectedLogRecords"}
)


@dataclass(frozen=True, slots=True)
class Partial:
    """What of a request was not taken. With `rejected` 0 the message is a warning."""

    rejected: int
    message: str


def answer_protobuf(signal: Signal, partial: Partial | None) -> bytes:
    """Return the response as protobuf: empty when all was taken."""
    if partial is None:
        return b""
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


def answer_json(signal: Signal, partial: Partial | None) -> bytes:
    """Return the response as OTLP/JSON, where a 64-bit number is a string."""
    if partial is None:
        return b"{}"
    success = {_REJECTED_KEYS[signal]: str(partial.rejected), "errorMessage": partial.message}
    return json.dumps({"partialSuccess": success}).encode()
