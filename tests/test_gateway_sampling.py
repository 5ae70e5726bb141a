"""A sampling threshold on its way from the SDK's own sampler over OTLP and the gateway into a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway_process import GatewayProcess, run_cli
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace._sampling_experimental import composable_traceid_ratio_based, composite_sampler
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace.span import TraceState

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
CALLS = 200


def provider_to(gateway: GatewayProcess, sampler: Sampler | None = None) -> TracerProvider:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{gateway.ready['http']}/v1/traces")))
    return provider


def report_of(data_dir: Path) -> Any:
    return json.loads(run_cli("report", "--data-dir", str(data_dir), "--format", "json").stdout)


def test_a_call_that_was_sampled_upstream_counts_for_those_that_were_not(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data") as gateway:
        provider = provider_to(gateway, composite_sampler(composable_traceid_ratio_based(0.25)))
        spans = [provider.get_tracer("app").start_span("chat gpt-4o") for _ in range(CALLS)]
        sampled = sum(span.get_span_context().trace_flags.sampled for span in spans)
        for span in spans:
            span.set_attributes(CHAT)  # the SDK's experimental samplers lose what a span is started with
            span.end()
        provider.shutdown()
        assert gateway.stop() == 0

    report = report_of(tmp_path / "data")

    assert 20 < sampled < 80
    assert report["totals"]["calls"] == 4 * sampled
    assert report["totals"]["input_tokens"] == 4 * 1200 * sampled
    assert (report["coverage"]["counted"], report["coverage"]["sampled_calls"]) == (sampled, sampled)
    assert report["coverage"]["sampling_refused"] == 0


def test_a_threshold_of_all_but_nothing_counts_once_and_is_in_the_coverage(tmp_path: Path) -> None:
    state = TraceState([("ot", "th:ffffffffffffff")])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    with GatewayProcess(tmp_path / "data") as gateway:
        provider = provider_to(gateway)
        parent = set_span_in_context(NonRecordingSpan(remote))
        provider.get_tracer("app").start_span("chat gpt-4o", parent, attributes=CHAT).end()
        provider.shutdown()
        assert gateway.stop() == 0

    report = report_of(tmp_path / "data")

    assert (report["totals"]["calls"], report["totals"]["input_tokens"]) == (1, 1200)
    assert (report["coverage"]["sampled_calls"], report["coverage"]["sampling_refused"]) == (0, 1)
