"""Every query of every Grafana panel, asked of a real Prometheus that real gateways fill."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_addresses
from gateway_process import GatewayProcess
from grafana_dashboards import Query, queries
from metrics_traffic import calls, every_kind, gateway_config, post
from node_project import installed
from prometheus_process import copy_of_rules, running_prometheus

from otel_carbon.spans.marks import MARK_KEYS

pytestmark = pytest.mark.e2e

_NOTHING_BY_DESIGN = {
    "Spans that were not taken, per second": "the gateway takes everything here",
    "Never taken, per second": "every destination takes everything here",
    "Budget of 30 days used": "made of full hours, of which a test has none; promtool checks the rule",
}
_ROUNDS = 8
_GUIDES = Path(__file__).parents[2] / "docs" / "backends"
_TRACEQL = re.compile(r"`(\{ ?span\.[^`]+)`")


def test_every_panel_shows_something(prometheus: Path, tmp_path: Path) -> None:
    (page,) = free_addresses(1)
    config = gateway_config(tmp_path, page)
    with GatewayProcess(tmp_path / "data", "--config", str(config)) as gateway:
        targets = [page, gateway.ready["web"].removeprefix("http://")]
        with running_prometheus(prometheus, tmp_path / "prometheus", _scrape(tmp_path, targets)) as server:
            server.wait_for("up", 2.0)
            post(gateway.ready["http"], calls(1, 60))
            for round_ in range(1, _ROUNDS):
                post(gateway.ready["http"], calls(60 * round_ + 1, 60))
                for request in every_kind(10_000 + 100 * round_):
                    post(gateway.ready["http"], request)
                time.sleep(1)
            asked = [query for query in queries() if query.language == "prometheus"]
            server.wait_for_data("otel_carbon_tenant:co2e_budget_burn:ratio1h")
            empty = {query.panel for query in asked if not _shows(server.query(query.text))}

    assert empty == set(_NOTHING_BY_DESIGN)
    assert len(asked) > 60


def test_the_panels_that_ask_tempo_are_few_and_known() -> None:
    asked: list[Query] = [query for query in queries() if query.language == "tempo"]

    assert [query.text for query in asked] == [
        "{ span.otel_carbon.co2e_grams > 1 } | select(span.otel_carbon.co2e_grams)",
        "{ } | sum_over_time(span.otel_carbon.co2e_grams) by (span.gen_ai.response.model)",
    ]


def test_grafanas_grammar_reads_every_traceql_query_and_finds_attributes_that_are_on_spans() -> None:
    in_guides = [found for path in sorted(_GUIDES.glob("*.md")) for found in _TRACEQL.findall(path.read_text("utf-8"))]
    asked = [*(query.text for query in queries() if query.language == "tempo"), *in_guides]

    read = _read(asked)

    assert in_guides
    assert all(each["isRead"] for each in read), asked
    attributes = {name for each in read for name in each["attributes"]}
    assert {name.removeprefix("span.") for name in attributes} <= MARK_KEYS | {"gen_ai.response.model"}
    assert "span.otel_carbon.co2e_grams" in attributes


@pytest.mark.parametrize("wrong", ["{ span.a > 1", "{ } | sum_over(span.a)", "{ span.a > } ", "{ } | select()"])
def test_grafanas_grammar_would_tell(wrong: str) -> None:
    (read,) = _read([wrong])

    assert not read["isRead"]


def _read(asked: list[str]) -> list[dict[str, Any]]:
    """Return what `@grafana/lezer-traceql`, the grammar of Grafana's own editor, makes of queries."""
    program = ["node", installed("tests/e2e/traceql") / "parse.mjs"]
    done = subprocess.run(program, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _shows(found: dict[frozenset[tuple[str, str]], float]) -> bool:
    return any(value == value for value in found.values())  # noqa: PLR0124 - a number, not NaN


def _scrape(folder: Path, targets: list[str]) -> str:
    jobs = "\n".join(
        f"  - {{job_name: job{number}, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}"
        for number, target in enumerate(targets)
    )
    return f"""\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
rule_files: [{", ".join(copy_of_rules(folder))}]
scrape_configs:
{jobs}
"""
