"""What a destination says it did not take. It is logged and counted, and never sent again (OTLP 1.11)."""

from __future__ import annotations

import logging

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_carbon.pipeline.component import Settings, Telemetry
from otel_carbon.pipeline.pdata import Signal

__all__ = ["PartialSuccessLog"]

_LOG = logging.getLogger(__name__)


class PartialSuccessLog:
    """Reads the responses of one exporter and reports what they reject."""

    def __init__(self, settings: Settings) -> None:
        self._id = settings.id
        self._telemetry: Telemetry | None = settings.shared.get("telemetry")

    def note(self, signal: Signal, response: bytes) -> None:
        """Log and count a partial success; an answer that cannot be read still means that the data was taken."""
        try:
            rejected, message = _read(signal, response)
        except DecodeError:
            return
        if not rejected and not message:
            return
        _LOG.warning("%s: the destination rejected %d items of %s: %s", self._id, rejected, signal, message)
        if rejected and self._telemetry is not None:
            self._telemetry.count("exporter_rejected_items", rejected, exporter=self._id, signal=signal.value)


def _read(signal: Signal, response: bytes) -> tuple[int, str]:
    match signal:
        case Signal.TRACES:
            spans = ExportTraceServiceResponse.FromString(response).partial_success
            return spans.rejected_spans, spans.error_message
        case Signal.METRICS:
            points = ExportMetricsServiceResponse.FromString(response).partial_success
            return points.rejected_data_points, points.error_message
        case Signal.LOGS:
            records = ExportLogsServiceResponse.FromString(response).partial_success
            return records.rejected_log_records, records.error_message
