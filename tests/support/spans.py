"""Requests with GenAI spans whose ids tell them apart."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

__all__ = ["span_id", "traces"]

_STARTED_UNIX_NANO = 1_790_000_000_000_000_000


def span_id(number: int) -> str:
    """Return the id, in hex, that `traces` gives to a span."""
    return (number + 1).to_bytes(8, "big").hex()


def traces(first: int, count: int, *, genai: bool = True) -> bytes:
    """Return a request with spans of the numbers from `first` on, each a call of its own trace."""
    spans = [_span(number, genai=genai) for number in range(first, first + count)]
    resource = Resource(attributes=[_text("service.name", "shop")])
    scope = ScopeSpans(scope=InstrumentationScope(name="opentelemetry.instrumentation.openai_v2"), spans=spans)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]
    ).SerializeToString()


def _span(number: int, *, genai: bool) -> Span:
    attributes = [
        _text("gen_ai.operation.name", "chat"),
        _text("gen_ai.provider.name", "openai"),
        _text("gen_ai.request.model", "gpt-4o-mini"),
        _text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        _text("gen_ai.response.id", f"chatcmpl-{number}"),
        _number("gen_ai.usage.input_tokens", 100),
        _number("gen_ai.usage.output_tokens", 50),
    ]
    return Span(
        trace_id=(number + 1).to_bytes(16, "big"),
        span_id=(number + 1).to_bytes(8, "big"),
        name="chat gpt-4o-mini",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=_STARTED_UNIX_NANO,
        end_time_unix_nano=_STARTED_UNIX_NANO + 1_000_000_000,
        attributes=attributes if genai else [_text("http.request.method", "GET")],
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))
