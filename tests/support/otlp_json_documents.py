"""Small OTLP/JSON documents around one span, one value or one metric, decoded."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_carbon.pipeline.otlp_json import decode
from otel_carbon.pipeline.pdata import Signal

__all__ = ["decoded_metric", "decoded_span", "decoded_value"]


def decoded_span(**fields: Any) -> Span:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}
    request = ExportTraceServiceRequest.FromString(decode(Signal.TRACES, json.dumps(document).encode()))
    return request.resource_spans[0].scope_spans[0].spans[0]


def decoded_value(value: Any) -> AnyValue:
    return decoded_span(attributes=[{"key": "a", "value": value}]).attributes[0].value


def decoded_metric(**fields: Any) -> Metric:
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [fields]}]}]}
    request = ExportMetricsServiceRequest.FromString(decode(Signal.METRICS, json.dumps(document).encode()))
    return request.resource_metrics[0].scope_metrics[0].metrics[0]
