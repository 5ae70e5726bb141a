"""The real OpenTelemetry Collector on both sides of the gateway, with the configs of `collector_config/`."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from collector_process import running_collector, written
from free_ports import free_addresses
from gateway_process import GatewayProcess, run_cli
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

pytestmark = pytest.mark.e2e

_ROOT = Path(__file__).parents[2]
_CONFIGS = _ROOT / "collector_config"
_WAITS = 150
_CALLS = 40


@pytest.mark.parametrize("config", sorted(_CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_collector_accepts_every_config(otelcol: Path, config: Path) -> None:
    done = subprocess.run([otelcol, "validate", "--config", config], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_telemetry_passes_collector_gateway_and_collector_whole(otelcol: Path, tmp_path: Path) -> None:
    front, front_http, back, back_http = free_addresses(4)
    out = tmp_path / "out.jsonl"
    behind = {"COLLECTOR_GRPC": back, "COLLECTOR_HTTP": back_http, "COLLECTOR_FILE": str(out)}
    with (
        _collector(otelcol, "collector-behind-gateway", behind, tmp_path / "back.log"),
        GatewayProcess(tmp_path / "data", "--config", str(_gateway_config(tmp_path, back))) as gateway,
    ):
        before = {"COLLECTOR_GRPC": front, "COLLECTOR_HTTP": front_http, "OTEL_CARBON_GRPC": gateway.ready["grpc"]}
        with _collector(otelcol, "gateway-behind-collector", before, tmp_path / "front.log"):
            _send(front)
            spans = _wait_for(out, "resourceSpans", 2 * _CALLS)
            _wait_for(out, "resourceMetrics", 1)
            _wait_for(out, "resourceLogs", 1)
        assert gateway.stop() == 0

    chats = [span for span in spans if span["name"] == "chat gpt-4o"]
    others = [span for span in spans if span["name"] == "GET /"]
    assert {_attributes(span).get("otel_carbon.status") for span in chats} == {"estimated"}
    assert {tuple(_attributes(span).items()) for span in others} == {(("http.route", "/"),)}
    assert (len(chats), len(others)) == (_CALLS, _CALLS)
    report = json.loads(run_cli("report", "--data-dir", str(tmp_path / "data"), "--format", "json").stdout)
    assert (report["totals"]["calls"], report["totals"]["output_tokens"]) == (_CALLS, _CALLS * 345)


def _gateway_config(folder: Path, back: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(
        f"""\
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0}}, http: {{endpoint: 127.0.0.1:0}}}}}}
processors:
  carbon: {{}}
exporters:
  otlp_grpc/collector: {{endpoint: "{back}", tls: {{insecure: true}}}}
  ledger: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [otlp_grpc/collector, ledger]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc/collector]}}
    logs: {{receivers: [otlp], exporters: [otlp_grpc/collector]}}
""",
        encoding="utf-8",
    )
    return path


def _send(endpoint: str) -> None:
    """Send calls, other spans, a metric and a log record with the real SDK."""
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    tracer = tracing.get_tracer("opentelemetry.instrumentation.openai.v1")
    usage = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 345}
    call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    for _ in range(_CALLS):
        with tracer.start_as_current_span("GET /", attributes={"http.route": "/"}):
            tracer.start_span("chat gpt-4o", attributes={**call, **usage}).end()
    tracing.shutdown()
    metering = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, insecure=True))])
    metering.get_meter("app").create_counter("requests").add(1)
    metering.shutdown()
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint, insecure=True)))
    logs.get_logger("app").emit(LogRecord(timestamp=time.time_ns(), body="hello"))
    logs.shutdown()


def _collector(
    otelcol: Path, config: str, environ: dict[str, str], log: Path
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    arguments = ("--config", _CONFIGS / f"{config}.yaml", "--set", "service.telemetry.metrics.level=none")
    return running_collector(otelcol, log, *arguments, listens=environ["COLLECTOR_GRPC"], environ=environ)


def _wait_for(out: Path, kind: str, count: int) -> list[dict[str, Any]]:
    """Return what the last Collector has written of one signal, once there are so many of it."""
    inner = {"resourceSpans": ("scopeSpans", "spans"), "resourceMetrics": ("scopeMetrics", "metrics")}
    scopes, items = inner.get(kind, ("scopeLogs", "logRecords"))
    found: list[dict[str, Any]] = []
    for _ in range(_WAITS):
        found = [
            item
            for batch in written(out)
            for resource in batch.get(kind, [])
            for scope in resource[scopes]
            for item in scope[items]
        ]
        if len(found) >= count:
            return found
        time.sleep(0.2)
    return pytest.fail(f"{len(found)} of {count} {kind} came through")


def _attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span.get("attributes", [])}
