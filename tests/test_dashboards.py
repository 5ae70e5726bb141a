"""The Grafana dashboards: generated, of the form that Grafana imports, and asking for metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_dashboards import FOLDER, dashboards, queries
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from otel_carbon.exporters._prom_names import family_name
from otel_carbon.semconv.carbon import METRICS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Grafana 10 and 11 import the first form
    from grafana_foundation_sdk.models.dashboard import Dashboard

_ROOT = Path(__file__).parents[1]
_RULES = _ROOT / "dashboards" / "prometheus" / "rules.yml"
_ALL = sorted(dashboards())


def _panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in dashboards()[name]["panels"] if panel["type"] != "row"]


def test_the_committed_dashboards_are_what_the_generator_writes() -> None:
    script = _ROOT / "scripts" / "generate-dashboards"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)

    assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize("name", _ALL)
def test_grafanas_own_model_knows_every_key(name: str) -> None:
    document = dashboards()[name]

    again = json.loads(JSONEncoder().encode(Dashboard.from_json(document)))

    assert again == document


@pytest.mark.parametrize("name", _ALL)
def test_every_panel_says_what_it_means_and_in_what_unit(name: str) -> None:
    for panel in _panels(name):
        assert panel["description"].endswith((".", '"')), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] in {"${prometheus}", "${tempo}"}


@pytest.mark.parametrize("name", _ALL)
def test_no_panel_covers_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboards()[name]["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", _ALL)
def test_every_data_source_is_a_variable_of_the_dashboard(name: str) -> None:
    document = dashboards()[name]
    variables = {one["name"] for one in document["templating"]["list"] if one["type"] == "datasource"}

    used = {target["datasource"]["uid"] for panel in _panels(name) for target in panel["targets"]}

    assert used <= {f"${{{one}}}" for one in variables}


def test_every_metric_that_a_panel_or_rule_asks_for_exists() -> None:
    units = {metric.name: metric for metric in METRICS.values()}
    known = {family_name(one.name, one.unit, counter=one.instrument == "counter") for one in units.values()}
    known |= {f"{name}_bucket" for name in known}
    text = _RULES.read_text(encoding="utf-8")
    records = set(re.findall(r"record: (\S+)", text))
    rules = [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    asked = [query.text for query in queries() if query.language == "prometheus"]

    names = {
        name
        for one in (*asked, *rules)
        for name in re.findall(r"\botel_carbon[a-z_]*(?::\w+)+|\botel_carbon_\w+(?=[{\[])", one)
    }

    assert names - known - records == {"otel_carbon_tenant:budget_co2e_grams:30d", "otel_carbon:budget_co2e_grams:30d"}


def test_provisioning_names_the_data_sources_that_link_to_each_other() -> None:
    (file,) = (FOLDER / "provisioning" / "datasources").glob("*.yml")
    sources = {one["uid"]: one for one in yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]}

    (exemplars,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert sources[exemplars["datasourceUid"]]["type"] == "tempo"
    assert sources["tempo"]["jsonData"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
