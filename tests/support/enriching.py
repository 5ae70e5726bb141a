"""A real Collector with a generated config, beside the gateway's processor on the same bytes."""

from __future__ import annotations

import math
import subprocess
import urllib.request
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from collector_process import running_collector, written
from free_ports import free_addresses
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.collector.amounts import CLAIMED
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors.carbon import CarbonProcessor, Config

__all__ = ["INTO_FILES", "Marks", "Passed", "compare", "marks_in", "passed"]

INTO_FILES = """\
exporters:
  file/traces: {path: "${env:COLLECTOR_FILE}.traces"}
  file/metrics: {path: "${env:COLLECTOR_FILE}.metrics"}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {exporters: [file/traces, signal_to_metrics/otel_carbon]}
    metrics: {exporters: [file/metrics]}
"""

Marks = dict[str, dict[str, Any]]
"""What is on spans of the namespace `otel_carbon`, by trace id; every span has a trace of its own."""


class Passed(NamedTuple):
    """What came in, and what came out of each of the two."""

    came_with: Marks
    gateway: Marks
    collector: Marks
    sums: dict[str, float]


def passed(otelcol: Path, generated: Path, requests: Sequence[ExportTraceServiceRequest], config: Config) -> Passed:
    """Send requests through the gateway's processor and through a Collector with a generated config."""
    rest, out = generated.with_name("rest.yaml"), generated.with_name("out.jsonl")
    rest.write_text(INTO_FILES, encoding="utf-8")
    valid = subprocess.run([otelcol, "validate", "--config", generated], capture_output=True, text=True, check=False)
    assert (valid.returncode, valid.stderr) == (0, "")
    grpc, http = free_addresses(2)
    environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "COLLECTOR_FILE": str(out)}
    log = generated.with_name("collector.log")
    arguments = ("--config", generated, "--config", rest)
    collector = running_collector(otelcol, log, *arguments, listens=http, environ=environ)
    with collector, ThreadPoolExecutor(1) as sender:  # the two work side by side
        sent = sender.map(lambda request: _post(http, request.SerializeToString()), requests)
        by_gateway = _by_gateway(requests, config)
        assert len(list(sent)) == len(requests)
    assert "error" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")[-2000:]
    spans, metrics = (out.with_name(f"{out.name}.{kind}") for kind in ("traces", "metrics"))
    return Passed(_marks(requests), by_gateway, marks_in(spans), _sums(metrics))


def compare(passed: Passed, claimed: Collection[str] = CLAIMED) -> list[dict[str, Any]]:
    """Return the marks that the Collector made, each of which is the gateway's, attribute by attribute."""
    made: list[dict[str, Any]] = []
    for trace, mark in passed.collector.items():
        if not mark or passed.came_with[trace]:
            continue
        expected = passed.gateway[trace]
        assert set(mark) <= set(claimed)
        differing = [key for key in mark.keys() | expected if not _same(mark.get(key), expected.get(key))]
        assert not differing, (trace, differing, mark, expected)
        made.append(mark)
    return made


def _same(value: Any, rounded: Any) -> bool:
    """Return whether one is the other, rounded to six significant digits; a tie may go either way."""
    if not isinstance(value, float | int) or not isinstance(rounded, float) or rounded <= 0.0:
        return bool(value == rounded)
    half = 0.5 * 10.0 ** (math.floor(math.log10(rounded)) - 5)
    return abs(value - rounded) <= half * (1 + 1e-4)


def _by_gateway(requests: Sequence[ExportTraceServiceRequest], config: Config) -> Marks:
    processor = CarbonProcessor(config, Settings("carbon", {}, {}))
    bodies = (processor.process(Payload(Signal.TRACES, each.SerializeToString(), 0)).body for each in requests)
    return _marks([ExportTraceServiceRequest.FromString(body) for body in bodies])


def _marks(requests: Sequence[ExportTraceServiceRequest]) -> Marks:
    return {
        span.trace_id.hex(): {
            pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "")
            for pair in span.attributes
            if pair.key.startswith("otel_carbon.")
        }
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def marks_in(file: Path) -> Marks:
    """Return the marks on the spans that a Collector has written so far."""
    return {
        span["traceId"]: {
            each["key"]: next(iter(each["value"].values()))
            for each in span.get("attributes", [])
            if each["key"].startswith("otel_carbon.")
        }
        for document in written(file)
        for span in _inner(document, "resourceSpans", "scopeSpans", "spans")
    }


def _sums(file: Path) -> dict[str, float]:
    sums: dict[str, float] = {}
    for document in written(file):
        for metric in _inner(document, "resourceMetrics", "scopeMetrics", "metrics"):
            points = metric["sum"]["dataPoints"]
            values = [float(each.get("asDouble", each.get("asInt", 0))) for each in points]
            sums[metric["name"]] = math.fsum((sums.get(metric["name"], 0.0), *values))
    return sums


def _inner(document: dict[str, Any], outer: str, scopes: str, items: str) -> Iterator[dict[str, Any]]:
    for resource in document.get(outer, []):
        for scope in resource[scopes]:
            yield from scope[items]


def _post(http: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://{http}/v1/traces", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
