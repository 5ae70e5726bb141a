"""The application is never harmed: whatever is wrong inside, its spans end, are exported, and keep what they had."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Outcome
from otel_carbon.processors import CarbonSpanProcessor

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
ESTIMATOR = Estimator(FactorTables.bundled(), EstimatorSettings())


def statuses(exporter: InMemorySpanExporter) -> list[Any]:
    return [(span.attributes or {}).get("otel_carbon.status") for span in exporter.get_finished_spans()]


def provider_of(*processors: SpanProcessor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def test_an_estimator_that_raises_costs_the_span_nothing_but_its_mark(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Estimator):
        def estimate(self, call: Call, factor_set: str | None = None) -> Outcome:
            raise RuntimeError(call.model, factor_set)

    exporter = InMemorySpanExporter()
    broken = Broken(FactorTables.bundled(), EstimatorSettings())
    provider = provider_of(CarbonSpanProcessor(broken, metrics=False), SimpleSpanProcessor(exporter))
    with caplog.at_level(logging.WARNING, "otel_carbon"):
        for _ in range(3):
            provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    assert [dict(span.attributes or {}) for span in exporter.get_finished_spans()] == [CHAT] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_meter_that_raises_costs_the_span_nothing() -> None:
    class Broken(MeterProvider):
        def get_meter(self, *_args: Any, **_kwargs: Any) -> Any:
            raise RuntimeError("no meter")

    exporter = InMemorySpanExporter()
    meters = Broken(shutdown_on_exit=False)
    provider = provider_of(CarbonSpanProcessor(ESTIMATOR, meter_provider=meters), SimpleSpanProcessor(exporter))
    provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    assert statuses(exporter) == ["estimated"]


def test_flush_and_shutdown_in_any_order_and_number_are_harmless() -> None:
    processor = CarbonSpanProcessor(ESTIMATOR, metrics=False)
    exporter = InMemorySpanExporter()
    provider = provider_of(processor, BatchSpanProcessor(exporter))
    provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

    assert processor.force_flush() is True
    processor.shutdown()
    processor.shutdown()
    assert processor.force_flush() is True
    late = provider.get_tracer("x").start_span("chat", attributes=CHAT)
    late.end()
    late.end()
    provider.shutdown()

    assert statuses(exporter) == ["estimated", None]


def test_a_processor_that_takes_attributes_away_or_replaces_them_is_survived() -> None:
    class Rewriting(SpanProcessor):
        """What redacting processors of vendors do."""

        def on_end(self, span: ReadableSpan) -> None:
            span._attributes = {"app.only": 1}  # type: ignore[assignment]

    for order in (0, 1):
        exporter = InMemorySpanExporter()
        processors: list[SpanProcessor] = [CarbonSpanProcessor(ESTIMATOR, metrics=False)]
        processors.insert(order, Rewriting())
        provider = provider_of(*processors, SimpleSpanProcessor(exporter))
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()

        (span,) = exporter.get_finished_spans()
        assert (span.attributes or {})["app.only"] == 1


def test_threads_and_tasks_count_every_call_once() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    exporter = InMemorySpanExporter()
    provider = provider_of(CarbonSpanProcessor(ESTIMATOR, meter_provider=meters), SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("x")

    def calls() -> None:
        for number in range(200):
            tracer.start_span("chat", attributes={**CHAT, "gen_ai.request.model": f"gpt-4o-{number % 7}"}).end()

    async def tasks() -> None:
        async def one() -> None:
            with tracer.start_as_current_span("chat", attributes=CHAT):
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(200)))

    threads = [threading.Thread(target=calls) for _ in range(6)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()

    data = reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    spans = metrics["otel_carbon.enriched.spans"].data.data_points
    assert sum(point.value for point in spans) == 1400  # type: ignore[union-attr]
    assert statuses(exporter) == ["estimated"] * 1400


FORKING = """
import json, multiprocessing, os, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otel_carbon.processors import CarbonSpanProcessor
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(CarbonSpanProcessor())
provider.add_span_processor(SimpleSpanProcessor(exporter))
def call(queue=None):
    provider.get_tracer("x").start_span("chat", attributes=json.loads(sys.argv[1])).end()
    status = exporter.get_finished_spans()[-1].attributes["otel_carbon.status"]
    if queue is not None:
        queue.put(status)
    return status
call()
forking = multiprocessing.get_context("fork")
queue = forking.Queue()
workers = [forking.Process(target=call, args=(queue,)) for _ in range(3)]  # as a server forks its workers
for worker in workers:
    worker.start()
found = [queue.get(timeout=60) for _ in workers]
for worker in workers:
    worker.join()
print(json.dumps([*found, call(), [worker.exitcode for worker in workers]]))
"""


def test_forked_workers_go_on_estimating() -> None:
    command = [sys.executable, "-c", FORKING, json.dumps(CHAT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["estimated"] * 4 + [[0, 0, 0]]
