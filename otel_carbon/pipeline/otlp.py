"""OTLP requests as they come in: checking, counting, and reading the GenAI-related spans in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from otel_carbon.model import Sighting
from otel_carbon.pipeline.otlp_schema import REQUESTS, SpanView, lenient, read
from otel_carbon.pipeline.otlp_spans import genai_spans
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.spans import SpanReader

__all__ = ["parse", "rejections", "sightings"]

_LONGEST_NAME = 100


def parse(signal: Signal, body: bytes) -> Payload:
    """Return a request as a payload, its bytes unchanged, its spans, data points or log records counted.

    An empty body is an empty request. Strings that are not UTF-8 are accepted.

    Raises:
        InvalidDataError: the body is not a protobuf message of the signal's request type.
    """
    name = REQUESTS[signal]
    request = read(lenient(name), body, name.rpartition(".")[2])
    return Payload(signal, body, _COUNTERS[signal](request))


def sightings(body: bytes, reader: SpanReader) -> list[Sighting]:
    """Return the GenAI-related spans of a traces request, marks included, in order.

    Spans with invalid ids are left out: see `rejections`.

    Raises:
        InvalidDataError: the body is not a traces request.
    """
    return [sighting for _, sighting, _ in genai_spans(reader).scan(body)[1]]


def rejections(body: bytes, reader: SpanReader | None = None) -> tuple[int, str]:
    """Return how many spans of a traces request cannot be accounted for, and what their sender should know.

    These are the GenAI-related spans whose trace id is not 16 bytes or whose span id is not 8 bytes, or is all zero:
    the ledger counts every span once, and knows it by its ids. They are neither marked nor recorded. Other spans pass
    whatever their ids. The text names the first of them, and the first one without a start, which is accounted for but
    has to be dated otherwise; it is empty where there is neither. `reader` is the bundled one by default.

    Raises:
        InvalidDataError: the body is not a traces request.
    """
    found = list(genai_spans(reader or _bundled_reader()).incomplete(body))
    rejected = [view for view, has_ids in found if not has_ids]
    undated = [view for view, has_ids in found if has_ids]
    said = (_rejection(rejected) if rejected else "", _without_start(undated) if undated else "")
    return len(rejected), "; ".join(filter(None, said))


@cache
def _bundled_reader() -> SpanReader:
    return SpanReader.bundled()


def _rejection(spans: Sequence[SpanView]) -> str:
    return (
        f"{_named(spans[0])} cannot be accounted for{_more(spans)}: "
        "a trace id has 16 bytes and a span id 8, not all of them zero"
    )


def _without_start(spans: Sequence[SpanView]) -> str:
    return f"{_named(spans[0])} has no start{_more(spans)}: it is dated by its end, or else by its arrival"


def _named(span: SpanView) -> str:
    name = span.name.decode("utf-8", "replace")[:_LONGEST_NAME]
    return f"span '{name}' with trace id '{span.trace_id[:32].hex()}' and span id '{span.span_id[:16].hex()}'"


def _more(spans: Sequence[SpanView]) -> str:
    return f" ({len(spans) - 1} more like it)" if len(spans) > 1 else ""


def _count_spans(request: Any) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def _count_data_points(request: Any) -> int:
    return sum(
        len(getattr(metric, kind).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data")) is not None
    )


def _count_log_records(request: Any) -> int:
    return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)


_COUNTERS: Mapping[Signal, Callable[[Any], int]] = {
    Signal.TRACES: _count_spans,
    Signal.METRICS: _count_data_points,
    Signal.LOGS: _count_log_records,
}
