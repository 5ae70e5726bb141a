"""The gateway's own metrics beside those of a real Collector that does the same."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import GatewayProcess
from prometheus_client.parser import text_string_to_metric_families
from spans import traces

pytestmark = pytest.mark.e2e

_RECEIVED = 7
_COLLECTOR = """\
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{http}"}}}}}}}}
exporters: {{otlp_http/backend: {{endpoint: "http://{backend}"}}}}
service:
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}, without_type_suffix: true,
          without_units: true, without_scope_info: true}}}}}}}}]
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http/backend]}}}}
"""
_GATEWAY = """\
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{http}"}}}}}}}}
exporters: {{otlp_http/backend: {{endpoint: "http://{backend}"}}}}
service:
  web: {{endpoint: "{web}"}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http/backend]}}}}
"""


def _families(url: str, prefix: str, until: str) -> dict[str, tuple[str, set[frozenset[str]]]]:
    """Return type and sets of labels by name, without the prefix, once a metric is there."""
    text = ""
    while f"{prefix}{until}" not in text:
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        time.sleep(0.05)
    return {
        family.name.removeprefix(prefix): (family.type, {frozenset(sample.labels) for sample in family.samples})
        for family in text_string_to_metric_families(text)
        if family.name.startswith(prefix)
    }


def _send(http: str) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://{http}/v1/traces", traces(0, _RECEIVED), headers)
    urllib.request.urlopen(request, timeout=30).close()


def test_names_types_and_labels_are_those_of_a_collector_under_the_same_load(otelcol: Path, tmp_path: Path) -> None:
    backend, http, scrape, ours_http, web = free_addresses(5)
    sink = tmp_path / "sink.yaml"
    sink.write_text(
        _GATEWAY.replace('otlp_http/backend: {{endpoint: "http://{backend}"}}', "debug: ")
        .replace("[otlp_http/backend]", "[debug]")
        .format(http=backend, web="127.0.0.1:0"),
        "utf-8",
    )
    theirs_config, ours_config = tmp_path / "collector.yaml", tmp_path / "gateway.yaml"
    port = scrape.rpartition(":")[2]
    theirs_config.write_text(_COLLECTOR.format(http=http, backend=backend, port=port), encoding="utf-8")
    ours_config.write_text(_GATEWAY.format(http=ours_http, backend=backend, web=web), encoding="utf-8")
    with (
        GatewayProcess(tmp_path / "sink", "--config", str(sink), addresses=()),
        running_collector(otelcol, tmp_path / "log", "--config", theirs_config, listens=http),
        GatewayProcess(tmp_path / "data", "--config", str(ours_config), addresses=()),
    ):
        _send(http)
        _send(ours_http)
        theirs = _families(f"http://{scrape}/metrics", "otelcol_", "exporter_sent_spans")
        ours = _families(f"http://{web}/metrics", "otelcarbon_", "exporter_sent_spans")

    both = theirs.keys() & ours.keys()
    assert {
        "receiver_accepted_spans",
        "exporter_sent_spans",
        "exporter_queue_size",
        "exporter_queue_capacity",
        "process_uptime",
        "process_cpu_seconds",
        "process_memory_rss",
    } <= both
    assert {name: ours[name][0] for name in both} == {name: theirs[name][0] for name in both}
    more = {name: _only(theirs[name][1]) - _only(ours[name][1]) for name in both}
    assert {name for name in both if _only(ours[name][1]) - _only(theirs[name][1])} == set()
    # Where a destination is, the Collector says too; here /debug/pipelines and the config do.
    assert {name: labels for name, labels in more.items() if labels} == {
        "exporter_sent_spans": {"server_address", "server_port", "url_path"}
    }


def _only(labels: set[frozenset[str]]) -> frozenset[str]:
    """Return the labels of a metric, all of whose series have the same."""
    (one,) = labels
    return one
