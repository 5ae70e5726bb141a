"""The same calls through the gateway and through a Collector that enriches: ledger, gateway and Collector agree."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import GatewayProcess, run_cli
from metrics_traffic import calls, gateway_config, post, report_totals
from prometheus_process import running_prometheus

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


def test_ledger_gateway_and_collector_count_the_same_over_restarts(
    otelcol: Path, new_prometheus: Path, tmp_path: Path
) -> None:
    page, of_gateway, of_collector = free_addresses(3)
    config = gateway_config(tmp_path, page, push=f"http://{of_gateway}", is_hourly=False)
    flag = "--web.enable-otlp-receiver"
    with (
        running_prometheus(new_prometheus, tmp_path / "gateway", _OTLP, flag, address=of_gateway) as gateways,
        running_prometheus(new_prometheus, tmp_path / "collector", _OTLP, flag, address=of_collector) as collectors,
    ):
        for first, count, counted in ((1, 60, 78.0), (61, 30, 39.0)):  # every tenth stands for four
            with (
                GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway,
                _collector(otelcol, tmp_path, f"http://{of_collector}") as collector,
            ):
                for start in range(first, first + count, 10):
                    for receiver in (gateway.ready["http"], collector):
                        post(receiver, calls(start, 10))
                    time.sleep(0.4)  # a sample has a time of its own, in ms
                gateways.wait_for(_BOTH["calls"], counted)
                collectors.wait_for(_BOTH["calls"], counted)
                assert gateway.stop() == 0
        ledger = report_totals(tmp_path / "data")
        for quantity, name in _BOTH.items():
            assert gateways.growth(name) == pytest.approx(ledger[quantity], rel=1e-9), name
            assert collectors.growth(name, begins_at_zero=False) == pytest.approx(ledger[quantity], rel=1e-9), name
        for name in _GRIDS:
            of_both = (gateways.growth(name), collectors.growth(name, begins_at_zero=False))
            assert of_both[0] == pytest.approx(of_both[1], rel=1e-9), name


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
