"""Real Prometheus servers, scraping the gateway and taking its OTLP, with real traffic through real gateways."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from captures import captures
from free_ports import free_addresses
from gateway_process import GatewayProcess
from metrics_traffic import calls, every_kind, gateway_config, post, report_totals
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_process import RULES, PrometheusProcess, Series, copy_of_rules, running_prometheus

from otel_carbon.semconv.carbon import METRICS, Metric

pytestmark = pytest.mark.e2e

_TOTALS = {
    "calls": "otel_carbon_calls_total",
    "co2e": "otel_carbon_co2e_grams_total",
    "energy": "otel_carbon_energy_joules_total",
}
_TAKEN_BACK = {
    "calls": "otel_carbon_calls_reversed_total",
    "co2e": "otel_carbon_co2e_reversed_grams_total",
    "energy": "otel_carbon_energy_reversed_joules_total",
}
_LONG = ("6h", "3d", "30d")  # made of full hours, of which a test has none: promtool checks these


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml", "budgets.yml", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "tests/rules.yml", "tests/alerts.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_accepts_rules_and_config(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=RULES, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class _Place:
    """A gateway, a Prometheus that scrapes it, and one that it sends to."""

    folder: Path
    scraping: PrometheusProcess
    taking: PrometheusProcess
    page: str
    config: Path

    @contextmanager
    def gateway(self) -> Iterator[GatewayProcess]:
        with GatewayProcess(self.folder / "data", "--config", str(self.config)) as gateway:
            self.scraping.wait_for("up", 1.0)  # it looks for what to scrape every five seconds
            yield gateway

    def agree(self, *, rel: float = 1e-9) -> None:
        """Wait until both have, net, what the ledger has."""
        for quantity, expected in _quantities(report_totals(self.folder / "data")).items():
            net = f"sum({_TOTALS[quantity]}) - (sum({_TAKEN_BACK[quantity]}) or vector(0))"
            self.scraping.wait_for(net, expected, rel=rel)
            self.taking.wait_for(net, expected, rel=rel)


@pytest.fixture
def place(prometheus: Path, new_prometheus: Path, tmp_path: Path) -> Iterator[_Place]:
    page, taking_at = free_addresses(2)
    config = gateway_config(tmp_path, page, push=f"http://{taking_at}")
    with (
        running_prometheus(prometheus, tmp_path / "scraping", _scrape(tmp_path, page)) as scraping,
        running_prometheus(
            new_prometheus,
            tmp_path / "taking",
            _OTLP,
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
            address=taking_at,
        ) as taking,
    ):
        yield _Place(tmp_path, scraping, taking, page, config)


def test_both_ways_give_the_same_series_and_both_are_net_what_the_ledger_has(place: _Place) -> None:
    with place.gateway() as gateway:
        for request in _traffic():
            post(gateway.ready["http"], request)
        place.agree()
        scraped, pushed = (_carbon(one) for one in (place.scraping, place.taking))
        exemplars = place.taking.exemplars("otel_carbon_operation_co2e_grams_bucket")

    parts = {f"otel_carbon_operation_co2e_grams_{part}" for part in ("bucket", "sum", "count")}
    counters = {_name(metric) for metric in METRICS.values() if metric.instrument == "counter"}
    assert {dict(labels)["__name__"] for labels in pushed} == counters | parts
    assert scraped.keys() ^ pushed.keys() == set()
    assert scraped == pytest.approx(pushed)
    for quantity in ("calls", "co2e", "energy"):
        assert place.taking.total(_TAKEN_BACK[quantity]) > 0
    of_calls = {f"{number:032x}" for number in range(1, 121)}
    assert {each[_trace_label()] for each in exemplars} & of_calls


def test_recording_rules_give_every_record_from_real_traffic(place: _Place) -> None:
    with place.gateway() as gateway:
        for request in _traffic():
            post(gateway.ready["http"], request)
        place.agree()
        text = (RULES / "rules.yml").read_text(encoding="utf-8")
        records = [line.split()[-1] for line in text.splitlines() if "- record:" in line]
        found = {record: place.scraping.wait_for_data(record) for record in records if not record.endswith(_LONG)}
        ledger = report_totals(place.folder / "data")
        # increase() extends what a few seconds show, and the rules are behind by a second.
        place.scraping.wait_for("otel_carbon:co2e_grams:increase1h", ledger["co2e"], rel=0.5)

    assert {dict(labels)["otel_carbon_tenant"] for labels in found["otel_carbon_tenant:calls:increase1h"]} >= {
        "acme",
        "globex",
    }
    (burn,) = found["otel_carbon_tenant:co2e_budget_burn:ratio1h"]
    assert dict(burn)["otel_carbon_tenant"] == "acme"


def test_after_a_restart_of_the_gateway_increases_are_still_what_the_ledger_has(place: _Place) -> None:
    with place.gateway() as gateway:
        post(gateway.ready["http"], calls(1, 60))
        place.agree()
        assert gateway.stop() == 0
    with place.gateway() as gateway:  # the counters begin again, under the same instance
        post(gateway.ready["http"], calls(61, 30))
        for server in (place.scraping, place.taking):
            server.wait_for("otel_carbon_calls_total", 39.0)  # 30, three of which stand for four
            _grew_by(server, report_totals(place.folder / "data"))
        assert len(place.taking.query("count by (instance) (otel_carbon_calls_total)")) == 1


def test_what_the_gateway_counts_while_prometheus_is_away_arrives_later(new_prometheus: Path, tmp_path: Path) -> None:
    page, address = free_addresses(2)
    config = gateway_config(tmp_path, page, push=f"http://{address}")

    def taking() -> AbstractContextManager[PrometheusProcess]:
        return running_prometheus(
            new_prometheus, tmp_path / "taking", _OTLP, "--web.enable-otlp-receiver", address=address
        )

    with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
        with taking() as server:
            post(gateway.ready["http"], calls(1, 60))
            server.wait_for("otel_carbon_calls_total", 78.0)
        post(gateway.ready["http"], calls(61, 30))
        time.sleep(2)  # two emissions that nobody takes
        with taking() as server:
            server.wait_for("otel_carbon_calls_total", 117.0)
            _grew_by(server, report_totals(tmp_path / "data"))


def _trace_label() -> str:
    """Return the label that Grafana is told to take for the id of a trace."""
    file = RULES.parent / "grafana" / "provisioning" / "datasources" / "otel-carbon.yml"
    found = re.search(r"name: (\w+), datasourceUid: tempo", file.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def _grew_by(server: PrometheusProcess, ledger: Mapping[str, float]) -> None:
    for quantity, name in _TOTALS.items():
        assert server.growth(name) == pytest.approx(ledger[quantity], rel=1e-9)


def _traffic() -> Iterator[ExportTraceServiceRequest]:
    yield calls(1, 120)
    yield from every_kind(1000)
    for capture in captures()[:12]:
        yield from map(ExportTraceServiceRequest.FromString, capture.bodies)


def _quantities(totals: Mapping[str, float]) -> dict[str, float]:
    return {quantity: totals[quantity] for quantity in _TOTALS}


def _carbon(server: PrometheusProcess) -> Series:
    """Return what there is of otel-carbon. A bound of a histogram is 1 in one Prometheus and 1.0 in another."""
    found = server.query('{__name__=~"otel_carbon_[a-z].*", __name__!~".*:.*"}')
    return {
        frozenset((name, str(float(value)) if name == "le" else value) for name, value in labels): count
        for labels, count in found.items()
    }


def _name(metric: Metric) -> str:
    unit = {"g": "_grams", "J": "_joules"}.get(metric.unit, "")
    return f"{metric.name.replace('.', '_')}{unit}_total"


_OTLP = """\
otlp: {translation_strategy: UnderscoreEscapingWithSuffixes, promote_scope_metadata: true}
storage: {tsdb: {out_of_order_time_window: 1h}}
"""


def _scrape(folder: Path, page: str) -> str:
    return f"""\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
rule_files: [{", ".join(copy_of_rules(folder))}]
scrape_configs:
  - job_name: otel-carbon
    honor_labels: true
    static_configs: [{{targets: ["{page}"]}}]
"""
