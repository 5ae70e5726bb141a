"""GenAI traffic that gives every metric something to count, and gateways that count it."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway_process import run_cli
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp_requests import SECOND, STARTED, attributes, chat_attributes, traces, web_span

__all__ = ["calls", "every_kind", "gateway_config", "post", "report_totals"]

# The first calls have a figure of their period, some after them that of the period before, the others that of a year.
_GRID = """\
zone,start,end,g_per_kwh,estimated
FR,2026-09-21T14:00Z,2026-09-21T14:20Z,38.0,false
SE-SE3,2026-09-21T14:00Z,2026-09-21T14:20Z,21.0,true
"""
_MODELS = (
    ("openai", "gpt-4o", None),
    ("aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-west-3"),
    ("azure.ai.openai", "gpt-4o-mini", "swedencentral"),
    ("mistral_ai", "mistral-large-latest", None),
)
_PARTIES = (("acme", "search"), ("acme", "support"), ("globex", "coding"))
_TENANT = {"otel_carbon.tenant": "acme", "otel_carbon.project": "search"}


def calls(first: int, count: int) -> ExportTraceServiceRequest:
    """Return calls of several models, regions, tenants, cached and reasoning tokens, without a duplicate.

    Every tenth stands for four, as the sampler of its application says.
    """
    kinds = itertools.cycle(itertools.product(_MODELS, _PARTIES))
    chosen = itertools.islice(kinds, first, first + count)
    return traces(*(_call(number, *kind) for number, kind in enumerate(chosen, first)))


def every_kind(first: int) -> Iterator[ExportTraceServiceRequest]:
    """Yield requests with what also happens: no counts, failures, and one call in two spans, together and apart."""
    ids = iter(range(first, first + 10))
    uncounted = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    failed = {"status": Status(code=Status.STATUS_CODE_ERROR)}
    yield traces(_span(next(ids), uncounted), _span(next(ids), uncounted, **failed))
    inner, outer = next(ids), next(ids)
    twins = {"gen_ai.response.id": f"r-{inner}", **_TENANT}
    yield traces(_span(inner, twins), scope="opentelemetry.instrumentation.openai_v2")
    # The other library's span of the same call comes later: the ledger takes one of the two back.
    later = _span(inner, twins, span_id=_id(outer), parent_span_id=_id(inner))
    yield traces(later, scope="opentelemetry.instrumentation.langchain")
    both = {"gen_ai.response.id": "r-both"}
    first_id, second_id = next(ids), next(ids)
    second = _span(first_id, both, span_id=_id(second_id), parent_span_id=_id(first_id))
    yield traces(_span(first_id, both), second)


def gateway_config(folder: Path, prometheus: str, *, push: str | None = None, is_hourly: bool = True) -> Path:
    """Write the config of a gateway that counts for Prometheus: scraped, and pushed to an OTLP receiver."""
    exporters = "prometheus, otlp_http/prometheus" if push else "prometheus"
    pushed = f"  otlp_http/prometheus: {{endpoint: '{push}/api/v1/otlp', retry_on_failure: {{max_interval: 1s}}}}\n"
    grid, path = folder / "grid.csv", folder / "gateway.yaml"
    grid.write_text(_GRID, encoding="utf-8")
    hourly = f'grid_intensity: {{provider: csv, file: "{grid}"}}' if is_hourly else ""
    path.write_text(
        f"""\
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0}}, http: {{endpoint: 127.0.0.1:0}}}}}}
processors:
  carbon: {{{hourly}}}
exporters:
  ledger: {{}}
  prometheus: {{endpoint: "{prometheus}"}}
{pushed if push else ""}connectors:
  carbon_metrics: {{interval: 1s, histogram: true, metrics_attributes: [tenant, project]}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}}
    metrics: {{receivers: [carbon_metrics], exporters: [{exporters}]}}
""",
        encoding="utf-8",
    )
    return path


def post(http: str, request: ExportTraceServiceRequest) -> None:
    """Send a request to an OTLP/HTTP receiver."""
    headers = {"Content-Type": "application/x-protobuf"}
    body = request.SerializeToString()
    with urllib.request.urlopen(urllib.request.Request(f"{http}/v1/traces", body, headers), timeout=60) as answer:
        assert answer.status == 200


def report_totals(data_dir: Path) -> dict[str, float]:
    """Return what the ledger has: calls, grams and joules."""
    totals = json.loads(run_cli("report", "--data-dir", str(data_dir), "--format", "json").stdout)["totals"]
    return {
        "calls": totals["calls"],
        "co2e": totals["co2e_grams"]["central"],
        "energy": totals["energy_wh"]["central"] * 3600,
        "co2e_low": totals["co2e_grams"]["low"],
        "co2e_high": totals["co2e_grams"]["high"],
    }


def _call(number: int, kind: tuple[str, str, str | None], party: tuple[str, str]) -> Span:
    provider, model, region = kind
    said: dict[str, Any] = {
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": f"c-{number}",
        "gen_ai.usage.input_tokens": 1200 + number,
        "gen_ai.usage.output_tokens": 345 + number % 7,
        "gen_ai.usage.cache_read.input_tokens": 400 * (number % 2),
        "gen_ai.usage.reasoning.output_tokens": 64 * (number % 3),
        "otel_carbon.tenant": party[0],
        "otel_carbon.project": party[1],
        "cloud.region": region,
    }
    return _span(number, said, trace_state="ot=th:c" if number % 10 == 0 else "")


def _span(number: int, said: dict[str, Any], **fields: Any) -> Span:
    starts = STARTED + number * 10 * SECOND
    usual = {
        "name": "chat",
        "kind": Span.SPAN_KIND_CLIENT,
        "trace_id": number.to_bytes(16, "big"),
        "start_time_unix_nano": starts,
        "end_time_unix_nano": starts + SECOND,
    }
    known = {key: value for key, value in {**chat_attributes(), **said}.items() if value is not None}
    return web_span(number, **{**usual, "attributes": attributes(known), **fields})


def _id(number: int) -> bytes:
    return number.to_bytes(8, "big")
