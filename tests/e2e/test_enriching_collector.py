"""The generated config in a real Collector, beside the gateway's processor on the same bytes: the same values."""

from __future__ import annotations

import json
import math
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import run_cli
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from random_genai import random_requests

from otel_carbon.collector.amounts import CLAIMED
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors.carbon import CarbonProcessor, Config

pytestmark = pytest.mark.e2e

_SPANS = 20_000
_WAITS = 300
_NOTHING_ELSE = """\
exporters:
  file/traces: {path: "${env:COLLECTOR_FILE}.traces"}
  file/metrics: {path: "${env:COLLECTOR_FILE}.metrics"}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {exporters: [file/traces, signal_to_metrics/otel_carbon]}
    metrics: {exporters: [file/metrics]}
"""

_Marks = dict[str, dict[str, Any]]
"""What is on spans of the namespace `otel_carbon`, by trace id; every span has a trace of its own."""


class _Passed(NamedTuple):
    came_with: _Marks
    gateway: _Marks
    collector: _Marks
    sums: dict[str, float]


def test_collector_and_gateway_write_the_same_on_every_span_that_the_collector_marks(
    otelcol: Path, tmp_path: Path
) -> None:
    passed = _pass(otelcol, tmp_path, random_requests(_SPANS, seed=20_261_124))

    assert len(passed.collector) == _SPANS
    marked = _compare(passed)
    statuses = [mark["otel_carbon.status"] for mark in marked]
    assert len(marked) > _SPANS / 3
    assert {"estimated", "no_usage", "failed"} == set(statuses)
    matches = {mark.get("otel_carbon.factor.match") for mark in marked} - {None}
    assert matches == {"set_model", "pattern", "size_hint", "name_hint", "global_default"}
    sources = {mark.get("otel_carbon.region.source") for mark in marked} - {None}
    assert sources == {"cloud_region", "inference_profile", "provider_default", "model_vendor", "world"}
    # What came with a mark goes out as it came.
    kept = {trace: mark for trace, mark in passed.came_with.items() if mark}
    assert len(kept) > 100
    assert {trace: passed.collector[trace] for trace in kept} == kept
    _check_sums(passed)


@pytest.mark.parametrize(
    "options",
    [("--models", "gpt-4o,claude-sonnet-4-5,qwen3-8b"), ("--regions", "eu-west-3,swedencentral"), ("--grid", "ember")],
)
def test_it_is_the_same_for_some_models_or_regions(otelcol: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    passed = _pass(otelcol, tmp_path, random_requests(2000, seed=7), *options)

    assert len(_compare(passed)) > 100


def _pass(otelcol: Path, folder: Path, requests: Sequence[ExportTraceServiceRequest], *options: str) -> _Passed:
    """Send requests through the gateway's processor and through a Collector with a config generated for this."""
    generated, rest, out = folder / "generated.yaml", folder / "rest.yaml", folder / "out.jsonl"
    run_cli("collector-config", "--output", str(generated), *options)
    rest.write_text(_NOTHING_ELSE, encoding="utf-8")
    valid = subprocess.run([otelcol, "validate", "--config", generated], capture_output=True, text=True, check=False)
    assert (valid.returncode, valid.stderr) == (0, "")
    grpc, http = free_addresses(2)
    environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "COLLECTOR_FILE": str(out)}
    log = folder / "collector.log"
    arguments = ("--config", generated, "--config", rest)
    with running_collector(otelcol, log, *arguments, listens=http, environ=environ):
        for request in requests:
            _post(http, request.SerializeToString())
    assert "error" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")[-2000:]
    spans, sums = _written(out)
    grid = options[1] if options[:1] == ("--grid",) else Config().grid
    return _Passed(_marks(requests), _by_gateway(requests, grid), spans, sums)


def _compare(passed: _Passed) -> list[dict[str, Any]]:
    """Return the marks that the Collector made, each of which is the gateway's, attribute by attribute."""
    made: list[dict[str, Any]] = []
    for trace, mark in passed.collector.items():
        if not mark or passed.came_with[trace]:
            continue
        expected = passed.gateway[trace]
        assert set(mark) <= set(CLAIMED)
        differing = [key for key in mark.keys() | expected if not _same(mark.get(key), expected.get(key))]
        assert not differing, (trace, differing, mark, expected)
        made.append(mark)
    return made


def _check_sums(passed: _Passed) -> None:
    marks = passed.collector.values()
    for name, key, factor in (
        ("otel_carbon.co2e", "otel_carbon.co2e_grams", 1.0),
        ("otel_carbon.co2e.high", "otel_carbon.co2e_grams_high", 1.0),
        ("otel_carbon.energy", "otel_carbon.energy_wh", 3600.0),
        ("otel_carbon.energy.low", "otel_carbon.energy_wh_low", 3600.0),
    ):
        expected = math.fsum(float(mark[key]) * factor for mark in marks if key in mark)
        assert passed.sums[name] == pytest.approx(expected, rel=1e-9)
    assert passed.sums["otel_carbon.enriched.spans"] == sum(1 for mark in marks if mark)


def _same(value: Any, rounded: Any) -> bool:
    """Return whether one is the other, rounded to six significant digits; a tie may go either way."""
    if not isinstance(value, float | int) or not isinstance(rounded, float) or rounded <= 0.0:
        return bool(value == rounded)
    half = 0.5 * 10.0 ** (math.floor(math.log10(rounded)) - 5)
    return abs(value - rounded) <= half * (1 + 1e-4)


def _by_gateway(requests: Sequence[ExportTraceServiceRequest], grid: str) -> _Marks:
    processor = CarbonProcessor(Config(grid=grid), Settings("carbon", {}, {}))
    bodies = (processor.process(Payload(Signal.TRACES, each.SerializeToString(), 0)).body for each in requests)
    return _marks([ExportTraceServiceRequest.FromString(body) for body in bodies])


def _marks(requests: Sequence[ExportTraceServiceRequest]) -> _Marks:
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


def _written(out: Path) -> tuple[_Marks, dict[str, float]]:
    """Return the marks on the spans that the Collector wrote, and the sums of its metrics."""
    marks: _Marks = {}
    sums: dict[str, float] = {}
    files = [out.with_name(f"{out.name}.{kind}") for kind in ("traces", "metrics")]
    for line in (line for file in files for line in file.read_text(encoding="utf-8").splitlines()):
        document = json.loads(line)
        for span in _inner(document, "resourceSpans", "scopeSpans", "spans"):
            pairs = {each["key"]: next(iter(each["value"].values())) for each in span.get("attributes", [])}
            marks[span["traceId"]] = {key: value for key, value in pairs.items() if key.startswith("otel_carbon.")}
        for metric in _inner(document, "resourceMetrics", "scopeMetrics", "metrics"):
            points = metric["sum"]["dataPoints"]
            values = [float(each.get("asDouble", each.get("asInt", 0))) for each in points]
            sums[metric["name"]] = math.fsum((sums.get(metric["name"], 0.0), *values))
    return marks, sums


def _inner(document: dict[str, Any], outer: str, scopes: str, items: str) -> Iterator[dict[str, Any]]:
    for resource in document.get(outer, []):
        for scope in resource[scopes]:
            yield from scope[items]


def _post(http: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://{http}/v1/traces", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
