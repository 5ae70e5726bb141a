"""docs/backends/prometheus.md, followed from nothing: its configs, its commands, its queries."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest
from free_ports import free_addresses
from gateway_process import GatewayProcess
from metrics_traffic import calls, post
from prometheus_process import RULES, running_prometheus

pytestmark = pytest.mark.e2e

_PAGE = Path(__file__).parents[2] / "docs" / "backends" / "prometheus.md"


@pytest.mark.parametrize("way", ["Scraped", "Sent"])
def test_whoever_follows_the_guide_sees_an_answer_to_every_query(
    way: str, prometheus: Path, new_prometheus: Path, tmp_path: Path
) -> None:
    page, server_at = free_addresses(2)
    section = _section(way)
    config = tmp_path / "gateway.yaml"
    config.write_text(_elsewhere(_block(section, "yaml"), page, server_at), encoding="utf-8")
    (command,) = [line for line in _block(section, "bash").splitlines() if line.startswith("prometheus ")]
    file, *flags = re.findall(r"--\S+", command)
    with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
        folder = tmp_path / "prometheus"
        shutil.copytree(RULES, folder)
        web = gateway.ready["web"].removeprefix("http://")
        text = (RULES / Path(file).name).read_text(encoding="utf-8").replace("127.0.0.1:8080", web)
        binary = prometheus if way == "Scraped" else new_prometheus
        settings = _elsewhere(text, page, server_at)
        with running_prometheus(binary, folder, settings, *flags, address=server_at) as server:
            server.wait_for("up", 2.0 if way == "Scraped" else 1.0)  # it looks for what to scrape every five seconds
            post(gateway.ready["http"], calls(1, 30))
            time.sleep(3)
            post(gateway.ready["http"], calls(31, 30))
            for query in _block(_section("Ask"), "promql").splitlines():
                server.wait_for_data(f"({query}) > 0")
            server.wait_for_data("otelcarbon_process_uptime")


def _elsewhere(text: str, page: str, server: str) -> str:
    """Return a config with free ports, and a second for what takes fifteen."""
    for port in ("4317", "4318"):
        text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:0")
    return text.replace("127.0.0.1:9464", page).replace("127.0.0.1:9090", server).replace("15s", "1s")


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def _block(text: str, language: str) -> str:
    found = re.search(rf"```{language}[^\n]*\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]
