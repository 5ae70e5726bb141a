"""`KeepGenAI` around the sampler of a provider that exists: by `install()`, and before any instrumentation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler

import otel_carbon
from otel_carbon.processors import KeepGenAI, instrumentor
from otel_carbon.processors.instrumentor import CarbonInstrumentor, before_instrumentation
from otel_carbon.processors.keeping import keeps_genai, wrap_sampler

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """A provider that exports nothing, as the global one."""
    for name in ("OTEL_CARBON_ENABLED", "OTEL_CARBON_KEEP_GENAI", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"):
        monkeypatch.delenv(name, raising=False)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    monkeypatch.setattr(instrumentor.trace, "get_tracer_provider", lambda: provider)
    return provider


def test_tracers_that_exist_already_record_genai_spans_too(provider: TracerProvider) -> None:
    early = provider.get_tracer("early")
    wrap_sampler(provider)

    for tracer in (early, provider.get_tracer("late")):
        span = tracer.start_span("x", attributes=CHAT)
        assert (span.is_recording(), span.get_span_context().trace_flags.sampled) == (True, False)
        assert not tracer.start_span("GET /").is_recording()


def test_a_sampler_is_wrapped_once(provider: TracerProvider) -> None:
    wrap_sampler(provider)
    once = provider.sampler
    wrap_sampler(provider)

    assert provider.sampler is once


def test_the_provider_behind_a_proxy_is_the_one_that_samples(provider: TracerProvider) -> None:
    wrap_sampler(SimpleNamespace(provider=provider))

    assert keeps_genai(SimpleNamespace(provider=provider))
    assert isinstance(provider.sampler, KeepGenAI)


def test_a_provider_without_a_sampler_is_left_alone() -> None:
    wrap_sampler(trace.NoOpTracerProvider())

    assert not keeps_genai(trace.NoOpTracerProvider())


def test_one_line_counts_what_the_sampler_drops_and_exports_no_more(provider: TracerProvider) -> None:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    processor = otel_carbon.install(provider)

    assert processor is not None
    assert processor._enrichment._every_call_seen
    assert provider.get_tracer("x").start_span("chat", attributes=CHAT).is_recording()
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_one_line_leaves_the_sampler_where_that_is_asked(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("OTEL_CARBON_KEEP_GENAI", "false")
    otel_carbon.install(provider, keep_genai=False if by == "argument" else None)

    assert provider.sampler is ALWAYS_OFF


def test_auto_instrumentation_wraps_the_sampler_first(provider: TracerProvider) -> None:
    before_instrumentation()

    assert isinstance(provider.sampler, KeepGenAI)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_CARBON_ENABLED", "false"),
        ("OTEL_CARBON_KEEP_GENAI", "off"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "openai, carbon"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*"),
    ],
)
def test_auto_instrumentation_leaves_the_sampler_where_that_is_switched_off(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    before_instrumentation()

    assert provider.sampler is ALWAYS_OFF


@pytest.fixture
def declared(provider: TracerProvider) -> Iterator[CarbonInstrumentor]:
    """The instrumentor as a configuration file may have run it before."""
    carbon = CarbonInstrumentor()
    carbon.instrument(tracer_provider=provider, keep_genai=False)
    yield carbon
    carbon.uninstrument()


@pytest.mark.usefixtures("declared")
def test_what_a_configuration_file_decided_stands(provider: TracerProvider) -> None:
    before_instrumentation()

    assert provider.sampler is ALWAYS_OFF


def test_a_provider_that_refuses_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: TracerProvider
) -> None:
    class Refusing:
        @property
        def sampler(self) -> Sampler:
            return provider.sampler

    refusing: Any = Refusing()
    monkeypatch.setattr(instrumentor.trace, "get_tracer_provider", lambda: refusing)

    with caplog.at_level(logging.WARNING):
        before_instrumentation()

    assert "calls that are sampled out will not be counted" in caplog.text
