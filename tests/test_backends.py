"""The config of every backend's page, run against an intake that insists on what the vendor documents."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from gateway_process import GatewayProcess
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from vendors import VENDORS, Intake, intake

_PAGES = Path(__file__).parents[1] / "docs" / "backends"
_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}


@pytest.mark.parametrize("name", VENDORS)
def test_the_config_of_its_page_delivers_to_a_vendor(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = VENDORS[name]
    for key, value in vendor.environ.items():
        monkeypatch.setenv(key, value)
    config = tmp_path / "gateway.yaml"
    with intake(vendor) as taken:
        config.write_text(_on_loopback(_config(name), taken.url), encoding="utf-8")
        with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
            _call(gateway.ready["http"])
            _wait_for(taken, metrics=vendor.metrics is not None)
            assert gateway.stop() == 0, gateway.log()

    assert taken.refused == []
    (request,) = taken.traces
    (span,) = request.resource_spans[0].scope_spans[0].spans
    (grams,) = [item.value.double_value for item in span.attributes if item.key == _GRAMS]
    counted = sum(_co2e(taken))
    assert grams > 0
    assert counted == (pytest.approx(grams, rel=1e-5) if vendor.metrics else 0)


def test_a_request_that_new_relic_would_refuse_for_its_size_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, config, spans = VENDORS["new-relic"], tmp_path / "gateway.yaml", 400
    monkeypatch.setenv("NEW_RELIC_LICENSE_KEY", "key")
    with intake(vendor) as taken:
        config.write_text(_on_loopback(_config("new-relic"), taken.url), encoding="utf-8")
        with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
            tracing = TracerProvider()
            exporter = OTLPSpanExporter(f"{gateway.ready['http']}/v1/traces")
            tracing.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=spans))
            for _ in range(spans):
                noise = os.urandom(3000).hex()  # 1.2 MB together, also when compressed
                tracing.get_tracer("app").start_span("read", attributes={"noise": noise}).end()
            tracing.shutdown()
            assert gateway.stop() == 0, gateway.log()  # it drains first

    assert taken.refused == []
    assert len(taken.traces) > 1
    assert sum(len(of.spans) for each in taken.traces for it in each.resource_spans for of in it.scope_spans) == spans


@pytest.mark.parametrize("name", [name for name, vendor in VENDORS.items() if vendor.max_bytes < 64_000_000])
def test_a_config_cuts_what_its_vendor_would_refuse_for_its_size(name: str) -> None:
    exporters = yaml.safe_load(_config(name))["exporters"]
    (batch,) = [each["sending_queue"]["batch"] for kind, each in exporters.items() if kind.startswith("otlp_")]

    assert batch["sizer"] == "bytes"
    assert 0 < batch["max_size"] <= min(VENDORS[name].max_bytes, VENDORS[name].max_metrics_bytes)


def test_two_gateways_are_told_apart_by_datadog() -> None:
    """It keeps one point of a series and second, and makes a tag of a resource's attribute only when asked to."""
    headers = yaml.safe_load(_config("datadog"))["exporters"]["otlp_http/datadog"]["headers"]

    assert json.loads(headers["dd-otel-metric-config"]) == {"resource_attributes_as_tags": True}


@pytest.mark.parametrize("name", VENDORS)
def test_the_intake_refuses_a_request_that_lacks_a_header(name: str) -> None:
    vendor = VENDORS[name]
    with intake(vendor) as taken:
        request = urllib.request.Request(taken.url + vendor.traces, b"", {"Content-Type": "application/x-protobuf"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        refused.value.close()

    assert (refused.value.code, taken.traces, len(taken.refused)) == (vendor.refuses_with, [], 1)


def test_every_page_is_tried() -> None:
    ours = {"README", "prometheus", "grafana", "jaeger"}  # run with the real thing, in tests/e2e
    assert {page.stem for page in _PAGES.glob("*.md")} - ours == set(VENDORS)


_GRAMS = "otel_carbon.co2e_grams"


def _config(name: str) -> str:
    (config,) = re.findall(
        r"^```yaml\n(.*?)^```", (_PAGES / f"{name}.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return config


def _on_loopback(config: str, url: str) -> str:
    """Return a config with the vendor's host replaced, and nothing else but how long to wait for the metrics."""
    config = re.sub(r"https://[^/\s]+", url, config)
    return re.sub(
        r"carbon_metrics: \{(.*)\}$",
        lambda keys: f"carbon_metrics: {{interval: 200ms{', ' if keys[1] else ''}{keys[1]}}}",
        config,
        flags=re.MULTILINE,
    )


def _call(url: str) -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    tracing.get_tracer("app").start_span("chat gpt-4o", attributes=_CALL).end()
    tracing.shutdown()


def _wait_for(taken: Intake, *, metrics: bool) -> None:
    for _ in range(600):
        if taken.refused or (taken.traces and (taken.metrics or not metrics)):
            return
        time.sleep(0.1)
    pytest.fail("nothing came")


def _co2e(taken: Intake) -> Iterator[float]:
    """Yield what every request adds to the sum: all of it where it is a delta, what is new where it is cumulative."""
    before = 0.0
    for request in taken.metrics:
        for metric in request.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == "otel_carbon.co2e":
                value = metric.sum.data_points[0].as_double
                yield value - (before if metric.sum.aggregation_temporality == 2 else 0.0)
                before = value
