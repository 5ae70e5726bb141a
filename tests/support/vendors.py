"""What vendors of OTLP backends document of their intakes, as a server on loopback that insists on it.

Sources, as of November 2026: docs.datadoghq.com/opentelemetry/setup/otlp_ingest, docs.honeycomb.io (OpenTelemetry,
metrics), signoz.io/docs/ingestion, langfuse.com/integrations/native/opentelemetry, grafana.com/docs/grafana-cloud
(OTLP), docs.newrelic.com (OTLP endpoint), docs.dynatrace.com (OpenTelemetry ingest API).
"""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["VENDORS", "Intake", "Vendor", "intake"]

DELTA, CUMULATIVE = 1, 2
_BASIC = "Basic cHVibGljOnNlY3JldA=="  # public:secret


@dataclass(frozen=True)
class Vendor:
    """What an intake insists on."""

    traces: str
    """The path of traces."""
    headers: Mapping[str, str]
    """Headers, and their value as a pattern."""
    environ: Mapping[str, str]
    """What a user sets."""
    metrics: str | None = None
    metrics_headers: Mapping[str, str] = field(default_factory=dict)
    temporalities: frozenset[int] = frozenset({DELTA, CUMULATIVE})
    max_bytes: int = 64_000_000
    max_metrics_bytes: int = 64_000_000
    takes_with: int = 200
    refuses_with: int = 401


VENDORS = {
    "honeycomb": Vendor(
        "/v1/traces",
        {"x-honeycomb-team": "key"},
        {"HONEYCOMB_API_KEY": "key"},
        metrics="/v1/metrics",
        metrics_headers={"x-honeycomb-dataset": ".+"},
    ),
    "datadog": Vendor(
        "/v1/traces",
        {"dd-api-key": "key"},
        {"DD_API_KEY": "key"},
        metrics="/v1/metrics",
        temporalities=frozenset({DELTA}),
        max_bytes=3_200_000,
        max_metrics_bytes=5_000_000,
        takes_with=202,
        refuses_with=403,
    ),
    "signoz": Vendor(
        "/v1/traces",
        {"signoz-ingestion-key": "key"},
        {"SIGNOZ_INGESTION_KEY": "key"},
        metrics="/v1/metrics",
        max_bytes=16_000_000,
        max_metrics_bytes=16_000_000,
    ),
    "langfuse": Vendor(
        "/api/public/otel/v1/traces",
        {"authorization": _BASIC, "x-langfuse-ingestion-version": "4"},
        {"LANGFUSE_AUTH": _BASIC.removeprefix("Basic ")},
    ),
    "grafana-cloud": Vendor(
        "/otlp/v1/traces",
        {"authorization": _BASIC},
        {"GRAFANA_CLOUD_AUTH": _BASIC.removeprefix("Basic ")},
        metrics="/otlp/v1/metrics",
        temporalities=frozenset({CUMULATIVE}),
    ),
    "new-relic": Vendor(
        "/v1/traces",
        {"api-key": "key"},
        {"NEW_RELIC_LICENSE_KEY": "key"},
        metrics="/v1/metrics",
        max_bytes=1_000_000,
        max_metrics_bytes=1_000_000,
        refuses_with=403,
    ),
    "dynatrace": Vendor(
        "/api/v2/otlp/v1/traces",
        {"authorization": "Api-Token token"},
        {"DT_ENVIRONMENT": "abc12345", "DT_TOKEN": "token"},
        metrics="/api/v2/otlp/v1/metrics",
        temporalities=frozenset({DELTA}),
        max_bytes=8_000_000,
        max_metrics_bytes=4_000_000,
    ),
}


@dataclass
class Intake:
    """What came in, and what was refused."""

    url: str
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def intake(vendor: Vendor) -> Iterator[Intake]:
    """Serve a vendor's intake on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    taken = Intake(f"http://127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, why = _judged(
                vendor, taken, self.path, {key.lower(): text for key, text in self.headers.items()}, body
            )
            if why:
                taken.refused.append(f"{self.path}: {why}")
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()


def _judged(vendor: Vendor, taken: Intake, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    """Return the status of an answer, and why not where it is a refusal. Keeps what is taken."""
    status, why = _refusal(vendor, path, headers, body)
    if why:
        return status, why
    plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
    if path == vendor.traces:
        taken.traces.append(ExportTraceServiceRequest.FromString(plain))
        return vendor.takes_with, ""
    request = ExportMetricsServiceRequest.FromString(plain)
    for metric in (each for it in request.resource_metrics for scope in it.scope_metrics for each in scope.metrics):
        temporality = (metric.histogram if metric.HasField("histogram") else metric.sum).aggregation_temporality
        if temporality not in vendor.temporalities:
            return 400, f"{metric.name} has temporality {temporality}"
    taken.metrics.append(request)
    return vendor.takes_with, ""


def _refusal(vendor: Vendor, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    if path not in {vendor.traces, vendor.metrics}:
        return 404, "no such path"
    wanted = {**vendor.headers, **(vendor.metrics_headers if path == vendor.metrics else {})}
    for name, pattern in wanted.items():
        if not re.fullmatch(pattern, headers.get(name, "")):
            return vendor.refuses_with, f"{name} is {headers.get(name)!r}"
    if headers.get("content-type") != "application/x-protobuf":
        return 415, f"content-type {headers.get('content-type')!r}"
    largest = vendor.max_metrics_bytes if path == vendor.metrics else vendor.max_bytes
    return (413, f"{len(body)} bytes") if len(body) > largest else (200, "")
