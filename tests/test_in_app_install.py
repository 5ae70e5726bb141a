"""One line, no line, and the variables: where the processor goes and what it is set to."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

import otel_carbon
from otel_carbon.errors import ConfigError
from otel_carbon.processors import CarbonSpanProcessor, KeepGenAI
from otel_carbon.processors.instrumentor import CarbonInstrumentor, CarbonOptions

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "my-deployment",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENABLED", "FACTOR_SET", "REGION", "ZONE", "GRID_INTENSITY", "MODEL_ALIASES", "LEDGER", "METRICS"):
        monkeypatch.delenv(f"OTEL_CARBON_{name}", raising=False)


@pytest.fixture
def instrumentor() -> Iterator[CarbonInstrumentor]:
    instrumentor = CarbonInstrumentor()
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def new_provider(**options: Any) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def span_of(provider: TracerProvider, exporter: InMemorySpanExporter) -> dict[str, Any]:
    provider.get_tracer("x").start_span("chat", attributes=CHAT).end()
    (span,) = exporter.get_finished_spans()
    exporter.clear()
    return dict(span.attributes or {})


def test_one_line_puts_carbon_on_the_spans_of_an_exporter_that_is_already_there() -> None:
    provider, exporter = new_provider()

    processor = otel_carbon.install(provider)

    assert isinstance(processor, CarbonSpanProcessor)
    assert span_of(provider, exporter)["otel_carbon.status"] == "estimated"


def test_a_second_call_changes_nothing() -> None:
    provider, _ = new_provider()
    first = otel_carbon.install(provider)

    assert otel_carbon.install(provider, region="eu-west-1") is first
    assert sum(isinstance(one, CarbonSpanProcessor) for one in provider._active_span_processor._span_processors) == 1


def test_a_processor_added_by_hand_is_found() -> None:
    provider, _ = new_provider()
    processor = CarbonSpanProcessor()
    provider.add_span_processor(processor)

    assert otel_carbon.install(provider) is processor


def test_a_processor_that_was_shut_down_is_replaced() -> None:
    provider, exporter = new_provider()
    first = otel_carbon.install(provider)
    assert first is not None
    first.shutdown()

    assert otel_carbon.install(provider) is not first
    assert span_of(provider, exporter)["otel_carbon.status"] == "estimated"


def test_without_an_sdk_provider_it_warns_and_returns_none(caplog: pytest.LogCaptureFixture) -> None:
    assert otel_carbon.install(trace.NoOpTracerProvider()) is None
    assert otel_carbon.install(trace.ProxyTracerProvider()) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.WARNING]


def test_arguments_set_the_estimate() -> None:
    provider, exporter = new_provider()
    otel_carbon.install(
        provider, region="eu-west-3", grid_intensity_g_per_kwh=41.0, model_aliases={"my-deployment": "gpt-4o"}
    )

    span = span_of(provider, exporter)
    assert span["otel_carbon.region.name"] == "eu-west-3"
    assert span["otel_carbon.region.source"] == "user"
    assert span["otel_carbon.grid.intensity_g_per_kwh"] == 41.0
    assert span["otel_carbon.factor.match"] == "alias"


def test_variables_set_the_estimate_and_arguments_beat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_CARBON_GRID_INTENSITY", "500")
    monkeypatch.setenv("OTEL_CARBON_MODEL_ALIASES", "my-deployment=gpt-4o")
    provider, exporter = new_provider()
    otel_carbon.install(provider, grid_intensity_g_per_kwh=41.0)

    span = span_of(provider, exporter)
    assert span["otel_carbon.grid.intensity_g_per_kwh"] == 41.0
    assert span["otel_carbon.factor.match"] == "alias"


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_CARBON_ENABLED", "false")
    provider, exporter = new_provider()

    assert otel_carbon.install(provider) is None
    assert span_of(provider, exporter) == CHAT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENABLED", "perhaps"),
        ("METRICS", "some"),
        ("GRID_INTENSITY", "green"),
        ("MODEL_ALIASES", "gpt-4o"),
        ("FACTOR_SET", "no-such-set"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_added(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OTEL_CARBON_{name}", value)
    provider, exporter = new_provider()

    with pytest.raises(ConfigError, match=value):
        otel_carbon.install(provider)

    assert span_of(provider, exporter) == CHAT


def test_the_switch_for_metrics_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    meters: list[bool] = []
    for value in ("false", "true", "histogram", ""):
        monkeypatch.setenv("OTEL_CARBON_METRICS", value)
        processor = otel_carbon.install(new_provider()[0])
        assert processor is not None
        meters.append(processor._enrichment._meter is not None)

    assert meters == [False, True, True, True]


def test_it_works_behind_a_vendors_proxy() -> None:
    class Proxy:
        """Stands before a provider that may be replaced, as vendors' SDKs do."""

        def __init__(self, provider: TracerProvider) -> None:
            self.provider = provider

        def add_span_processor(self, processor: SpanProcessor) -> None:
            self.provider.add_span_processor(processor)

        def get_tracer(self, *arguments: Any, **options: Any) -> Any:
            return self.provider.get_tracer(*arguments, **options)

    provider, exporter = new_provider()
    proxy: Any = Proxy(provider)

    first = otel_carbon.install(proxy)

    assert otel_carbon.install(proxy) is first
    assert span_of(provider, exporter)["otel_carbon.status"] == "estimated"


def test_an_sdk_without_the_ending_hook_gets_the_processor_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SpanProcessor, "_on_ending")
    provider, _ = new_provider()

    processor = otel_carbon.install(provider)

    assert provider._active_span_processor._span_processors[0] is processor


def test_a_sampler_that_keeps_genai_spans_makes_every_span_count_once() -> None:
    kept = otel_carbon.install(new_provider(sampler=KeepGenAI(ALWAYS_ON))[0])
    plain = otel_carbon.install(new_provider()[0], keep_genai=False)

    assert kept is not None
    assert plain is not None
    assert (kept._enrichment._every_call_seen, plain._enrichment._every_call_seen) == (True, False)


def test_the_instrumentor_installs_with_its_options(instrumentor: CarbonInstrumentor) -> None:
    provider, exporter = new_provider()

    instrumentor.instrument(tracer_provider=provider, region="eu-west-3", something_of_a_distribution=True)

    assert span_of(provider, exporter)["otel_carbon.region.name"] == "eu-west-3"


def test_the_instrumentor_can_be_taken_out_again(instrumentor: CarbonInstrumentor) -> None:
    provider, exporter = new_provider()
    instrumentor.instrument(tracer_provider=provider)

    instrumentor.uninstrument()

    assert span_of(provider, exporter) == CHAT


def test_a_wrong_setting_under_the_instrumentor_is_logged_and_the_application_goes_on(
    instrumentor: CarbonInstrumentor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_CARBON_GRID_INTENSITY", "green")
    provider, exporter = new_provider()

    instrumentor.instrument(tracer_provider=provider)

    assert span_of(provider, exporter) == CHAT
    assert "OTEL_CARBON_GRID_INTENSITY" in caplog.text


OBJECTS = {"tracer_provider", "meter_provider", "accounting"}  # which no file can hold


def test_declarative_options_are_arguments_of_install() -> None:
    arguments = otel_carbon.install.__annotations__

    assert set(CarbonOptions.__dataclass_fields__) <= set(arguments)
    assert set(CarbonOptions.__dataclass_fields__) == set(arguments) - {*OBJECTS, "return"}


GLOBAL = """
import otel_carbon
from opentelemetry import trace
assert otel_carbon.install() is None
from opentelemetry.sdk.trace import TracerProvider
proxy = trace.get_tracer_provider()
trace.set_tracer_provider(TracerProvider())
first = otel_carbon.install()
assert first is not None
assert otel_carbon.install() is first
assert otel_carbon.install(proxy) is first
print("done")
"""


def test_the_global_provider_is_used_once_it_is_set() -> None:
    done = subprocess.run([sys.executable, "-c", GLOBAL], capture_output=True, text=True, check=False)

    assert done.stdout == "done\n", done.stderr
    assert "found no SDK tracer provider" in done.stderr


def test_the_package_offers_what_it_says_and_nothing_else() -> None:
    assert {"install", "estimate", "__version__"} <= set(dir(otel_carbon))
    with pytest.raises(AttributeError, match="no attribute 'instal'"):
        otel_carbon.instal  # noqa: B018 - looking it up is the test
