"""The gateway's own metrics: declared, documented, and comparable with the Collector's."""

from __future__ import annotations

import csv
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gateway_process import GatewayProcess
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from spans import traces

from otel_carbon.gateway.self_metrics import PREFIX, SELF_METRICS, SelfMetric

_ROOT = Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "self-metrics.md").read_text(encoding="utf-8")


def _collector() -> Mapping[str, tuple[str, str]]:
    """Return type and unit by name, from `metadata.yaml` of the Collector's modules at v0.158.0, dots as `_`."""
    with (_ROOT / "tests" / "fixtures" / "otelcol_self_metrics_0.158.0.csv").open(encoding="utf-8") as file:
        return {row["name"]: (row["type"], row["unit"]) for row in csv.DictReader(file)}


def _row(metric: SelfMetric) -> str:
    labels = ", ".join(metric.labels)
    theirs = f"`otelcol_{metric.name}`" if metric.like_collector else ""
    return f"| `{PREFIX}{metric.name}` | {metric.type} | {metric.unit} | {labels} | {metric.help} | {theirs} |"


def test_the_page_lists_every_metric_and_no_other() -> None:
    rows = [" ".join(line.split()) for line in _PAGE.splitlines() if line.startswith(f"| `{PREFIX}")]

    assert rows == [" ".join(_row(metric).split()) for metric in SELF_METRICS.values()]


@pytest.mark.parametrize(
    "metric", [each for each in SELF_METRICS.values() if each.like_collector], ids=lambda m: m.name
)
def test_a_metric_of_the_collector_has_its_type_and_unit(metric: SelfMetric) -> None:
    kind, unit = _collector()[metric.name]

    assert metric.type == kind
    assert metric.unit == unit or (metric.unit, unit) == ("By", "{batch}")  # the queue, see the page


def test_every_metric_of_the_collector_is_here_or_the_page_says_why_not() -> None:
    said = set(_names(_PAGE[_PAGE.index("## What the Collector has besides") :]))
    here = {metric.name for metric in SELF_METRICS.values() if metric.like_collector}

    assert said | here == set(_collector())
    assert said & here == set()


def _names(text: str) -> Iterator[str]:
    """Yield the names of a table; `_bytes` after a name stands for that name with this ending, or this last part."""
    full = ""
    for name in re.findall(r"`(otelcol_\w+|_\w+)`", text):
        if name.startswith("otelcol_"):
            full = name.removeprefix("otelcol_")
            yield full
        else:
            longer = f"{full}{name}"
            yield longer if longer in _collector() else full.replace("_spans", "") + name


_CONFIG = """\
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:0}}}}
processors:
  memory_limiter: {check_interval: 1s, limit_percentage: 99}
  redact: {content: drop, keys: [gen_ai.operation.name.never]}
  carbon:
exporters: {ledger: , debug: {verbosity: basic}, otlp_http/refusing: {endpoint: "ENDPOINT"}}
service:
  web: {endpoint: 127.0.0.1:0}
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, carbon], exporters: [ledger, debug, otlp_http/refusing]}
    metrics: {receivers: [otlp], processors: [memory_limiter], exporters: [debug, otlp_http/refusing]}
    logs: {receivers: [otlp], processors: [memory_limiter], exporters: [debug, otlp_http/refusing]}
"""


def test_a_gateway_at_work_shows_only_what_is_declared_with_the_labels_that_are(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    with _refusing_destination() as endpoint:
        config.write_text(_CONFIG.replace("ENDPOINT", endpoint), encoding="utf-8")
        with GatewayProcess(tmp_path / "data", "--config", str(config), addresses=()) as gateway:
            for path, body in (("traces", traces(0, 3)), ("metrics", _metrics()), ("logs", _logs()), ("logs", b"\xff")):
                _post(f"{gateway.ready['http']}/v1/{path}", body)
            text = ""
            while text.count("otelcarbon_exporter_send_failed_") < 9 or text.count("otelcarbon_exporter_sent_") < 10:
                with urllib.request.urlopen(f"{gateway.ready['web']}/metrics", timeout=30) as answer:
                    text = answer.read().decode()

    families = {family.name.removeprefix(PREFIX): family for family in text_string_to_metric_families(text)}
    for name, family in families.items():
        declared = SELF_METRICS[name]
        assert (family.type, family.documentation) == (declared.type, declared.help), name
        assert {tuple(sorted(sample.labels)) for sample in family.samples} <= {declared.labels}, name
    expected = [
        f"{name}_{item}"
        for name in ("receiver_accepted", "processor_memory_limiter_accepted", "exporter_sent", "exporter_send_failed")
        for item in ("spans", "metric_points", "log_records")
    ]
    assert set(expected) <= set(families)


@contextmanager
def _refusing_destination() -> Iterator[str]:
    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(400)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="x")
    metric.gauge.data_points.add(as_int=1)
    return request.SerializeToString()


def _logs() -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "x"
    return request.SerializeToString()


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        error.close()
