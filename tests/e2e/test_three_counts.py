"""The same calls through the gateway and through a Collector that enriches: ledger, gateway and Collector agree."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import GatewayProcess, run_cli
from metrics_traffic import calls, gateway_config, post, report_totals
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_process import PrometheusProcess, running_prometheus

pytestmark = pytest.mark.e2e

_PAGE = Path(__file__).parents[2] / "docs" / "collector.md"
_BOTH = {
    "calls": "otel_carbon_calls_total",
    "co2e": "otel_carbon_co2e_grams_total",
    "co2e_low": "otel_carbon_co2e_low_grams_total",
    "co2e_high": "otel_carbon_co2e_high_grams_total",
    "energy": "otel_carbon_energy_joules_total",
}
_GRIDS = ("otel_carbon_grid_energy_joules_total", "otel_carbon_grid_co2e_grams_total")
_OTLP = "storage: {tsdb: {out_of_order_time_window: 1h}}\n"
_SCRAPE = """\
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs: [{job_name: otel-carbon, honor_labels: true, static_configs: [{targets: ["PAGE"]}]}]
"""
_MEANWHILE = '{gen_ai_provider_name="openai", gen_ai_response_model="gpt-4o-mini"}'


def test_ledger_gateway_and_collector_count_the_same_over_restarts(
    otelcol: Path, prometheus: Path, new_prometheus: Path, tmp_path: Path
) -> None:
    page, of_gateway, of_collector = free_addresses(3)
    config = gateway_config(tmp_path, page, push=f"http://{of_gateway}", is_hourly=False)
    flag = "--web.enable-otlp-receiver"

    def scraping() -> AbstractContextManager[PrometheusProcess]:
        return running_prometheus(prometheus, tmp_path / "scraping", _SCRAPE.replace("PAGE", page))

    with ExitStack() as first_life, ExitStack() as lives:
        scraper = first_life.enter_context(scraping())
        gateways, collectors = (
            lives.enter_context(running_prometheus(new_prometheus, tmp_path / name, _OTLP, flag, address=address))
            for name, address in (("gateway", of_gateway), ("collector", of_collector))
        )
        for seen, unseen, counted in _ROUNDS:
            with (
                GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway,
                _collector(otelcol, tmp_path, f"http://{of_collector}") as collector,
            ):
                scraper.wait_for("up", 1.0)
                _post(seen, gateway.ready["http"], collector)
                scraper.wait_for(_BOTH["calls"], sum(map(_calls_in, seen)))
                if unseen:
                    first_life.close()
                    _post(unseen, gateway.ready["http"], collector)
                    scraper = lives.enter_context(scraping())
                gateways.wait_for(_BOTH["calls"], counted)
                collectors.wait_for(_BOTH["calls"], counted)
                scraper.wait_for(_BOTH["calls"], counted)
                assert gateway.stop() == 0
        grown, began = (
            {name: scraper.growth(name + of, begins_at_zero=False) for name in _BOTH.values()}
            for of in ("", _MEANWHILE)
        )
        ledger = report_totals(tmp_path / "data")
        assert began[_BOTH["calls"]] == 1.0
        for quantity, name in _BOTH.items():
            assert gateways.growth(name) == pytest.approx(ledger[quantity], rel=1e-9), name
            assert collectors.growth(name, begins_at_zero=False) == pytest.approx(ledger[quantity], rel=1e-9), name
            assert grown[name] == pytest.approx(ledger[quantity], rel=1e-9), name
            # A series that began while Prometheus was away begins with what it had by then, which is no increase.
            assert scraper.increase(name) == pytest.approx(ledger[quantity] - began[name], rel=1e-9), name
        for name in _GRIDS:
            of_both = (gateways.growth(name), collectors.growth(name, begins_at_zero=False))
            assert of_both[0] == pytest.approx(of_both[1], rel=1e-9), name


def _post(requests: Sequence[ExportTraceServiceRequest], *receivers: str) -> None:
    for request in requests:
        for receiver in receivers:
            post(receiver, request)
        time.sleep(0.4)  # a sample has a time of its own, in ms


def _meanwhile() -> ExportTraceServiceRequest:
    """Return a call of a provider's model that no other call is of."""
    request = calls(1009, 1)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    for attribute in span.attributes:
        if attribute.key.endswith(".model"):
            attribute.value.string_value = "gpt-4o-mini"
    return request


def _calls_in(request: ExportTraceServiceRequest) -> float:
    """Return how many calls a request stands for: every tenth stands for four."""
    spans = [each for resource in request.resource_spans for scope in resource.scope_spans for each in scope.spans]
    return sum(4.0 if each.trace_state else 1.0 for each in spans)


_ROUNDS = (
    ([calls(start, 10) for start in range(1, 61, 10)], [], 78.0),
    ([calls(start, 10) for start in (61, 71)], [calls(81, 10), _meanwhile()], 40.0),
)
"""What is sent while a Prometheus scrapes the gateway and while none does, and how many calls that is."""


@contextmanager
def _collector(otelcol: Path, folder: Path, prometheus: str) -> Iterator[str]:
    """Run a Collector as docs/collector.md has it, and give the address that takes OTLP/HTTP."""
    generated, rest, alone = folder / "generated.yaml", folder / "rest.yaml", folder / "alone.yaml"
    if not generated.exists():
        models = "gpt-4o,gpt-4o-mini,mistral-large-latest,anthropic.claude-sonnet-4-5-20250929-v1:0"
        done = run_cli("collector-config", "--output", str(generated), "--models", models)
        assert done.returncode == 0, done.stderr
    found = re.search(r"## To Prometheus.*?```yaml[^\n]*\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    rest.write_text(found[1], encoding="utf-8")
    alone.write_text("service: {pipelines: {traces: {exporters: [signal_to_metrics/otel_carbon]}}}\n", encoding="utf-8")
    grpc, http = free_addresses(2)
    environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "PROMETHEUS_URL": prometheus}
    arguments = [word for file in (generated, rest, alone) for word in ("--config", str(file))]
    arguments += ["--set", "service.telemetry.metrics.level=none"]
    with running_collector(otelcol, folder / "collector.log", *arguments, listens=http, environ=environ):
        yield f"http://{http}"
