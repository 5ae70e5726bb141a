"""The other configs of `collector_config/` under real traffic: sidecar, tail sampling, a fleet, the agent of a node."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from collector_process import running_collector, written
from free_ports import free_addresses
from gateway_process import GatewayProcess, run_cli
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

pytestmark = pytest.mark.e2e

_CONFIGS = Path(__file__).parents[2] / "collector_config"
_WAITS = 300
_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
_EXPENSIVE = {**_CALL, "gen_ai.usage.output_tokens": 30_000}


def test_a_sidecar_keeps_what_is_sent_while_the_gateway_is_away(otelcol: Path, tmp_path: Path) -> None:
    grpc, http, gateway_grpc = free_addresses(3)
    environ = {
        "COLLECTOR_GRPC": grpc,
        "COLLECTOR_HTTP": http,
        "COLLECTOR_QUEUE": str(tmp_path / "queue"),
        "OTEL_CARBON_GRPC": gateway_grpc,
    }
    data = tmp_path / "data"
    with _collector(otelcol, "sidecar", environ, tmp_path / "before.log"):
        _send(grpc, [_CALL] * 40)
    # It has ended with all of it on its disk; the next one has the gateway to talk to.
    with (
        GatewayProcess(data, "--grpc", gateway_grpc, addresses=("http", "web")) as gateway,
        _collector(otelcol, "sidecar", environ, tmp_path / "after.log"),
    ):
        _send(grpc, [_CALL] * 10)
        _wait_for_calls(data, 50)
        assert gateway.stop() == 0, gateway.log()


def test_sampling_after_the_gateway_changes_no_total(otelcol: Path, tmp_path: Path) -> None:
    grpc, http = free_addresses(2)
    out, data, config = tmp_path / "out.jsonl", tmp_path / "data", tmp_path / "gateway.yaml"
    environ = {
        "COLLECTOR_GRPC": grpc,
        "COLLECTOR_HTTP": http,
        "COLLECTOR_FILE": str(out),
        "COLLECTOR_DECISION_WAIT": "1s",
    }
    config.write_text(_SAMPLED.format(back=grpc), encoding="utf-8")
    with (
        _collector(otelcol, "tail-sampling", environ, tmp_path / "collector.log"),
        GatewayProcess(data, "--config", str(config)) as gateway,
    ):
        _send(gateway.ready["grpc"], [_CALL] * 200 + [_EXPENSIVE] * 2)
        report = _wait_for_calls(data, 202)
        assert gateway.stop() == 0, gateway.log()
        exported, counted = _wait_for_sampled(out)

    grams = [_attributes(span)["otel_carbon.co2e_grams"] for span in exported]
    assert sum(each > 1.0 for each in grams) == 2  # every expensive one
    assert 2 < len(grams) < 100  # and one in ten of the others: 20, give or take
    assert counted == pytest.approx(report["totals"]["co2e_grams"]["central"], rel=1e-9)
    assert sum(grams) < 0.75 * counted


def test_two_spans_of_one_call_meet_in_one_of_several_gateways(otelcol: Path, tmp_path: Path) -> None:
    (grpc, http, *_) = free_addresses(2)
    with (
        GatewayProcess(tmp_path / "one") as one,
        GatewayProcess(tmp_path / "two") as two,
        _collector(
            otelcol,
            "fleet",
            {
                "COLLECTOR_GRPC": grpc,
                "COLLECTOR_HTTP": http,
                "OTEL_CARBON_1": one.ready["grpc"],
                "OTEL_CARBON_2": two.ready["grpc"],
            },
            tmp_path / "collector.log",
        ),
    ):
        _send_watched_twice(grpc, calls=40)
        _wait_for_spans([tmp_path / "one", tmp_path / "two"], 80)
        assert (one.stop(), two.stop()) == (0, 0)

    reports = [_report(tmp_path / name) for name in ("one", "two")]
    calls = [report["totals"]["calls"] for report in reports]
    assert sum(calls) == 40
    assert min(calls) > 0  # both had some


def test_the_agent_of_a_node_finds_the_gateways_by_their_name(otelcol: Path, tmp_path: Path) -> None:
    grpc, http = free_addresses(2)
    data = tmp_path / "data"
    with GatewayProcess(data) as gateway:
        host, _, port = gateway.ready["grpc"].rpartition(":")
        environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "OTEL_CARBON_HOST": host, "OTEL_CARBON_PORT": port}
        with _collector(otelcol, "kubernetes-agent", environ, tmp_path / "collector.log"):
            _send(grpc, [_CALL] * 40)
            _wait_for_calls(data, 40)
        assert gateway.stop() == 0, gateway.log()


_SAMPLED = """\
receivers:
  otlp: {{protocols: {{grpc: {{}}, http: {{}}}}}}
processors:
  carbon: {{}}
exporters:
  otlp_grpc/sampling: {{endpoint: "{back}", tls: {{insecure: true}}}}
  ledger: {{}}
connectors:
  carbon_metrics: {{interval: 1s}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [otlp_grpc/sampling, ledger, carbon_metrics]}}
    metrics: {{receivers: [carbon_metrics], exporters: [otlp_grpc/sampling]}}
"""


def _collector(
    otelcol: Path, config: str, environ: Mapping[str, str], log: Path
) -> AbstractContextManager[Popen[bytes]]:
    arguments = ("--config", _CONFIGS / f"{config}.yaml", "--set", "service.telemetry.metrics.level=none")
    return running_collector(otelcol, log, *arguments, listens=environ["COLLECTOR_GRPC"], environ=environ)


def _send(endpoint: str, calls: list[dict[str, Any]]) -> None:
    """Send calls, each a trace of its own."""
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    tracer = tracing.get_tracer("opentelemetry.instrumentation.openai.v1")
    for attributes in calls:
        tracer.start_span("chat gpt-4o", attributes=attributes).end()
    tracing.shutdown()


def _send_watched_twice(endpoint: str, calls: int) -> None:
    """Send calls that a framework and the client's own instrumentation both saw, as two spans of one trace."""
    tracing = TracerProvider()
    tracing.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True), max_export_batch_size=7)
    )
    outer = tracing.get_tracer("opentelemetry.instrumentation.langchain")
    inner = tracing.get_tracer("opentelemetry.instrumentation.openai.v1")
    for number in range(calls):
        attributes = {**_CALL, "gen_ai.response.id": f"chatcmpl-{number}"}
        with outer.start_as_current_span("ChatOpenAI.chat", attributes=attributes):
            inner.start_span("chat gpt-4o", attributes=attributes).end()
    tracing.shutdown()


def _report(data: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run_cli("report", "--data-dir", str(data), "--format", "json").stdout)
    return report


def _wait_for_calls(data: Path, calls: int) -> dict[str, Any]:
    for _ in range(_WAITS):
        if (data / "ledger.db").exists() and (report := _report(data))["totals"]["calls"] >= calls:
            assert report["totals"]["calls"] == calls
            return report
        time.sleep(0.2)
    pytest.fail(f"the ledger has {_report(data)['totals']['calls']} of {calls} calls")


def _wait_for_spans(folders: list[Path], spans: int) -> None:
    for _ in range(_WAITS):
        seen = [_report(data)["coverage"]["seen_spans"] for data in folders if (data / "ledger.db").exists()]
        if sum(seen) >= spans:
            return
        time.sleep(0.2)
    pytest.fail(f"the ledgers have seen {seen} of {spans} spans")


def _wait_for_sampled(out: Path) -> tuple[list[dict[str, Any]], float]:
    """Return the spans that were kept, once no more have come for a while, and the emissions that were counted."""
    batches: list[dict[str, Any]] = []
    for _ in range(_WAITS):
        before, batches = batches, written(out)
        spans = [span for each in batches for span in _spans(each)]
        if batches == before and sum(_attributes(span)["otel_carbon.co2e_grams"] > 1.0 for span in spans) == 2:
            return spans, max(_co2e(each) for each in batches)
        time.sleep(1.5)  # longer than a decision takes
    pytest.fail("the Collector kept nothing")


def _spans(batch: dict[str, Any]) -> list[dict[str, Any]]:
    scopes = [scope for each in batch.get("resourceSpans", ()) for scope in each["scopeSpans"]]
    return [span for scope in scopes for span in scope["spans"]]


def _co2e(batch: dict[str, Any]) -> float:
    """Return the cumulative emissions of a request with metrics; zero for another."""
    scopes = [scope for each in batch.get("resourceMetrics", ()) for scope in each["scopeMetrics"]]
    sums = [metric["sum"] for scope in scopes for metric in scope["metrics"] if metric["name"] == "otel_carbon.co2e"]
    return sum(point["asDouble"] for each in sums for point in each["dataPoints"])


def _attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
