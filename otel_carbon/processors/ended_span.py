"""What the reader and the ledger want to know about an SDK span, in the terms of OTLP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext, StatusCode

from otel_carbon.model import Call, Mark, Sighting, SpanIdentity
from otel_carbon.processors.attributes import attribute_values
from otel_carbon.spans import Parent, SpanReader, adjusted_count

__all__ = ["SpanFacts", "calls_stood_for", "facts_of", "identity_of", "read_span", "sighting_of"]

SpanFacts = tuple[SpanContext, SpanContext | None, str | None, str | None, int, StatusCode, Resource, int, int]
"""Context, parent, scope name and version, kind (as the API counts), status, resource, start and end in ns."""

# Each public property of an SDK span is a Python function; the fields behind them take a sixth of the time together.
_fields: Callable[[Any], SpanFacts] = attrgetter(
    "_context",
    "_parent",
    "_instrumentation_scope._name",
    "_instrumentation_scope._version",
    "_kind._value_",
    "_status._status_code",
    "_resource",
    "_start_time",
    "_end_time",
)


def facts_of(span: Any) -> SpanFacts:
    """Return what is asked of every GenAI span that has ended, besides its attributes."""
    try:
        return _fields(span)
    except AttributeError:  # a span without scope, or of another SDK
        scope = span.instrumentation_scope
        name, version = (None, None) if scope is None else (scope.name, scope.version)
        kind, status = span.kind.value, span.status.status_code
        return span.context, span.parent, name, version, kind, status, span.resource, span.start_time, span.end_time


def read_span(reader: SpanReader, span: Any, values: Mapping[str, Any]) -> Call | Parent | None:
    """Return what the reader makes of a span that has ended."""
    scope = span.instrumentation_scope
    return reader.read(
        values,
        scope_name=scope.name if scope is not None else "",
        scope_version=(scope.version or "") if scope is not None else "",
        resource=attribute_values(span.resource.attributes),
        kind=span.kind.value + 1,  # the API counts from INTERNAL, OTLP has UNSPECIFIED before it
        failed=span.status.status_code is StatusCode.ERROR,
        started_unix_nano=span.start_time or 0,
        ended_unix_nano=span.end_time or 0,
    )


def calls_stood_for(context: SpanContext) -> float:
    """Return how many calls a span stands for by its sampling threshold; one when it was recorded unsampled."""
    threshold = context.trace_state.get("ot") if context.trace_state else None
    if threshold is None or not context.trace_flags.sampled:
        return 1.0
    return adjusted_count(f"ot={threshold}")


def sighting_of(reader: SpanReader, span: Any, call: Call | None, mark: Mark | None, adjusted_count: float) -> Sighting:
    """Return the sighting that the ledger records for a span, with attribution as its attributes now say."""
    context, parent, scope = span.context, span.parent, span.instrumentation_scope
    values, resource = attribute_values(span._attributes), attribute_values(span.resource.attributes)
    return Sighting(
        span=identity_of(context, parent),
        started_unix_nano=span.start_time or 0,
        ended_unix_nano=span.end_time or 0,
        attribution=reader.attribution(values, resource),
        call=call,
        mark=mark,
        adjusted_count=adjusted_count,
        scope=scope.name if scope is not None else None,
    )


def identity_of(context: SpanContext, parent: SpanContext | None) -> SpanIdentity:
    """Return which span it is, in the terms of OTLP."""
    return SpanIdentity(
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        f"{parent.span_id:016x}" if parent is not None else "",
    )
