"""A real client under its real instrumentation, against an OpenAI-compatible server on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from openai import OpenAI
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_carbon
from otel_carbon.demo.provider import Provider
from otel_carbon.processors import KeepGenAI

# The instrumentation's own: it still configures pydantic models by a class.
pytestmark = pytest.mark.filterwarnings("ignore:Support for class-based `config`:DeprecationWarning")

PROMPT = "Where does electricity come from at noon? " * 40


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Provider, str]]:
    provider, loop = Provider(), asyncio.new_event_loop()
    runner = web.AppRunner(provider.app())

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield provider, asyncio.run_coroutine_threadsafe(start(), loop).result()
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class App:
    """An application that is instrumented, with one line of otel-carbon."""

    def __init__(self, url: str, **options: Any) -> None:
        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader], shutdown_on_exit=False)
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        OpenAIInstrumentor().instrument(tracer_provider=self.provider)
        otel_carbon.install(self.provider, meter_provider=self.meters, region="swedencentral")
        self.client = OpenAI(base_url=url, api_key="none", max_retries=0)

    def workload(self) -> None:
        messages: Any = [{"role": "user", "content": PROMPT}]
        self.client.chat.completions.create(model="gpt-4o", messages=messages)
        stream = self.client.chat.completions.create(
            model="o4-mini", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        for _ in stream:
            pass
        self.client.embeddings.create(model="text-embedding-3-small", input=PROMPT)

    def counted(self, name: str) -> float:
        data = self.reader.get_metrics_data()
        assert data is not None
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
        return sum(getattr(point, "value", 0.0) for metric in metrics for point in metric.data.data_points)


@pytest.fixture(autouse=True)
def _instrumented_once() -> Iterator[None]:
    yield
    OpenAIInstrumentor().uninstrument()


def test_every_call_is_marked_and_counted_with_the_tokens_that_were_served(server: tuple[Provider, str]) -> None:
    provider, url = server
    before = len(provider.served)
    app = App(url)

    app.workload()

    served = provider.served[before:]
    marks = [dict(span.attributes or {}) for span in app.spans.get_finished_spans()]
    assert [mark["otel_carbon.status"] for mark in marks] == ["estimated"] * 3
    assert {mark["otel_carbon.region.name"] for mark in marks} == {"swedencentral"}
    assert all(0.0 < mark["otel_carbon.co2e_grams_low"] <= mark["otel_carbon.co2e_grams"] for mark in marks)
    assert app.counted("otel_carbon.tokens") == sum(one.input_tokens + one.output_tokens for one in served)
    assert app.counted("otel_carbon.enriched.spans") == len(served)
    assert app.counted("otel_carbon.co2e") == pytest.approx(
        sum(mark["otel_carbon.co2e_grams"] for mark in marks), rel=1e-5
    )


def test_calls_that_are_sampled_out_are_counted_all_the_same(server: tuple[Provider, str]) -> None:
    provider, url = server
    before = len(provider.served)
    app = App(url, sampler=KeepGenAI(ALWAYS_OFF))

    app.workload()

    served = provider.served[before:]
    assert app.spans.get_finished_spans() == ()
    assert app.counted("otel_carbon.enriched.spans") == len(served)
    assert app.counted("otel_carbon.tokens") == sum(one.input_tokens + one.output_tokens for one in served)
