"""An application with one line of otel-carbon. Prints as JSON what its exporters, readers and processors saw."""

import json
import os
import sys
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import Counter, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_carbon
from otel_carbon.errors import MissingExtraError
from otel_carbon.processors import KeepGenAI

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
FULL = {**CHAT, **{f"app.key{n}": n for n in range(128 - len(CHAT))}}


def marks(exporter: InMemorySpanExporter) -> list[Any]:
    """Return name, status and count of the attributes that are not ours, of every exported span."""
    found = []
    for span in exporter.get_finished_spans():
        theirs = [key for key in span.attributes if not key.startswith("otel_carbon.")]
        json.loads(span.to_json())
        found.append([span.name, span.attributes.get("otel_carbon.status"), len(theirs), span.dropped_attributes])
    return sorted(found)


def sums(reader: InMemoryMetricReader) -> dict[str, float]:
    """Return the sum of each counter."""
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {metric.name: sum(getattr(point, "value", 0.0) for point in metric.data.data_points) for metric in metrics}


def spans() -> dict[str, Any]:
    """Export spans by a simple and a batching processor that were registered before the one line."""
    simple, batch = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(simple))
    provider.add_span_processor(BatchSpanProcessor(batch))
    processor = otel_carbon.install(provider)
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("GET /"):
        tracer.start_span("chat", kind=trace.SpanKind.CLIENT, attributes=CHAT).end()
    tracer.start_span("full", attributes=FULL).end()
    flushed = provider.force_flush()
    twice = otel_carbon.install(provider) is processor
    return {"simple": marks(simple), "batch": marks(batch), "flushed": flushed, "idempotent": twice}


def sampled_out() -> dict[str, Any]:
    """Count calls that the sampler drops."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider(sampler=KeepGenAI(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    otel_carbon.install(provider, meter_provider=MeterProvider(metric_readers=[reader]))
    for _ in range(3):
        provider.get_tracer("app").start_span("chat", attributes=CHAT).end()
    return {"exported": len(exporter.get_finished_spans()), "counted": sums(reader)["otel_carbon.enriched.spans"]}


def ledger_without_its_extra() -> str:
    """Ask for a ledger where sqlite-utils is not installed."""
    try:
        otel_carbon.install(TracerProvider(), ledger="ledger.db")
    except MissingExtraError as error:
        return str(error)
    return "no error"


def counters() -> dict[str, Any]:
    """Read totals and differences, here and in a forked child, in calls, and what the exemplar points at."""
    delta = dict.fromkeys((Counter, ObservableCounter), AggregationTemporality.DELTA)
    readers = [InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=delta)]
    provider = TracerProvider()
    otel_carbon.install(provider, meter_provider=MeterProvider(metric_readers=readers), metrics="histogram")

    def call(times: int) -> Any:
        for _ in range(times):
            span = provider.get_tracer("app").start_span("chat", attributes=CHAT)
            span.end()
        return span

    def counted() -> list[list[float]]:
        seen = [sums(reader) for reader in readers]
        return [[one["otel_carbon.enriched.spans"], round(one["otel_carbon.co2e"] / grams, 6)] for one in seen]

    last = call(2)
    data = readers[0].get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    points = {metric.name: metric.data.data_points for metric in data}
    grams = points["otel_carbon.co2e"][0].value / 2
    exemplars = [
        exemplar.span_id == last.get_span_context().span_id for exemplar in points["otel_carbon.co2e"][0].exemplars
    ]
    sums(readers[1])
    call(3)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        call(4)
        os.write(write_end, json.dumps(counted()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    in_child = json.loads(os.read(read_end, 65536))
    histogram = points["otel_carbon.operation.co2e"][0]
    return {
        "exemplars": exemplars,
        "child": in_child,
        "parent": counted(),
        "histogram": [histogram.count, len(histogram.explicit_bounds)],
    }


if __name__ == "__main__":
    seen = {
        "spans": spans(),
        "sampled_out": sampled_out(),
        "counters": counters(),
        "ledger": ledger_without_its_extra(),
    }
    json.dump(seen, sys.stdout)
