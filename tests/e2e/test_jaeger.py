"""Calls that passed the gateway are found in a real Jaeger by what the gateway wrote on them."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import GatewayProcess
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

pytestmark = pytest.mark.e2e

_PAGE = Path(__file__).parents[2] / "docs" / "backends" / "jaeger.md"

_USAGE = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 345}
_CALLS = {
    "known": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", **_USAGE},
    "unknown": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "frobnicator", **_USAGE},
    "hinted": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "frobnicator-mini", **_USAGE},
    "paris": {
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "anthropic.claude-3-haiku-20240307-v1:0",
        "server.address": "bedrock-runtime.eu-west-3.amazonaws.com",
        **_USAGE,
    },
    "silent": {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"},
}
_FOUND = {
    "otel_carbon.confidence=low": {"unknown", "hinted"},
    "otel_carbon.factor.match=name_hint": {"hinted"},
    "otel_carbon.region.name=eu-west-3": {"paris"},
    "otel_carbon.status=no_usage": {"silent"},
}
"""What each search of the page leads to."""


@pytest.fixture(scope="module")
def query(jaeger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a Jaeger that has the calls, as they came out of the gateway."""
    folder = tmp_path_factory.mktemp("jaeger")
    otlp, api, api_grpc = free_addresses(3)
    environ = {"JAEGER_OTLP": otlp, "JAEGER_QUERY": api, "JAEGER_QUERY_GRPC": api_grpc}
    arguments = ("--config", Path(__file__).with_name("jaeger.yaml"))
    config = folder / "gateway.yaml"
    config.write_text(_page_config().replace("127.0.0.1:4317", otlp), encoding="utf-8")
    with (
        running_collector(jaeger, folder / "jaeger.log", *arguments, listens=otlp, environ=environ),
        GatewayProcess(folder / "data", "--config", str(config)) as gateway,
    ):
        _call(gateway.ready["grpc"])
        _wait_for(api, len(_CALLS))
        yield api
        assert gateway.stop() == 0, gateway.log()


@pytest.mark.parametrize("tags", _FOUND)
def test_a_search_of_the_page_finds_its_calls(query: str, tags: str) -> None:
    assert {span["operationName"] for span in _search(query, tags)} == _FOUND[tags]


def test_the_page_names_no_other_search() -> None:
    assert set(re.findall(r"\| `([\w.]+=[\w.-]+)` \|", _PAGE.read_text(encoding="utf-8"))) == set(_FOUND)


def test_energy_and_emissions_stand_on_the_span(query: str) -> None:
    (span,) = _search(query, "otel_carbon.region.name=eu-west-3")
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    assert 0 < tags["otel_carbon.co2e_grams_low"] < tags["otel_carbon.co2e_grams"] < tags["otel_carbon.co2e_grams_high"]
    assert 0 < tags["otel_carbon.energy_wh_low"] < tags["otel_carbon.energy_wh"] < tags["otel_carbon.energy_wh_high"]


def _page_config() -> str:
    (config,) = re.findall(r"^```yaml\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return config


def _call(endpoint: str) -> None:
    tracing = TracerProvider(resource=Resource({"service.name": "app"}))
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    for name, attributes in _CALLS.items():
        tracing.get_tracer("app").start_span(name, attributes={"gen_ai.operation.name": "chat", **attributes}).end()
    tracing.shutdown()


def _search(query: str, tags: str | None = None) -> list[dict[str, Any]]:
    wanted = {"service": "app", "limit": "100", "lookback": "1h"}
    if tags:
        key, _, value = tags.partition("=")
        wanted["tags"] = json.dumps({key: value})
    with urllib.request.urlopen(f"http://{query}/api/traces?{urllib.parse.urlencode(wanted)}", timeout=10) as answer:
        found = json.load(answer)
    return [span for trace in found["data"] for span in trace["spans"]]


def _wait_for(query: str, count: int) -> None:
    for _ in range(300):
        if len(_search(query)) == count:
            return
        time.sleep(0.1)
    pytest.fail(f"Jaeger has {len(_search(query))} of {count} spans")
