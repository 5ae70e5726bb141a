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
from grafana_dashboards import dashboards, queries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from metric_attributes import metric_attributes

from otel_carbon.exporters._prom_names import family_name
from otel_carbon.gateway.self_metrics import PREFIX, SELF_METRICS
from otel_carbon.pipeline.parties import METRIC_PARTIES
from otel_carbon.semconv.carbon import METRICS
from otel_carbon.spans.marks import MARK_KEYS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Grafana 10 and 11 import the first form
    from grafana_foundation_sdk.models.dashboard import Dashboard

_ROOT = Path(__file__).parents[1]
_RULES = _ROOT / "dashboards" / "prometheus"
_SERIES = re.compile(
    r"(?<![\w.:])(?:otel_carbon[a-z_]*(?::\w+)+|otelcarbon_\w+|otel_carbon_\w+_total|otel_carbon_\w+(?=[{\[]))"
)
_SELECTOR = re.compile(r"((?:otel_carbon|otelcarbon)_\w+)\{([^}]*)\}")
_PARTIES = {key.replace(".", "_") for key in METRIC_PARTIES.values()}
_OF_PROMETHEUS = {"job", "instance", "le"}
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


def test_every_metric_that_a_panel_rule_or_alert_asks_for_exists() -> None:
    names = {name for expression in _asked() for name in _SERIES.findall(expression)}
    records = {rule["record"] for rule in _rules() if "record" in rule}

    assert len(names) > 40
    assert names - set(_known()) - records == set()


def test_every_label_that_a_series_is_picked_by_is_one_of_its_labels() -> None:
    known = _known()
    picked = [found for expression in _asked() for found in _SELECTOR.findall(expression)]

    assert len(picked) > 40
    for name, selector in picked:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels <= known.get(name, labels) | _OF_PROMETHEUS, (name, selector)


def test_every_metric_and_label_that_a_backend_guide_names_exists() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (_ROOT / "docs" / "backends").glob("*.md"))
    records = {rule["record"] for rule in _rules() if "record" in rule}

    names = set(re.findall(r"\botelcarbon_[a-z_]+|\botel_carbon_[a-z_]+_(?:total|bucket)\b", text))

    assert names <= set(_known()) | records


def test_every_attribute_and_metric_that_a_backend_guide_names_exists() -> None:
    pages = [*(_ROOT / "docs" / "backends").glob("*.md"), _ROOT / "dashboards" / "README.md"]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    parties = set(METRIC_PARTIES.values())

    names = set(re.findall(r"\botel_carbon(?:\.[a-z0-9_]+)+", text))

    assert "otel_carbon.co2e_grams" in names
    assert names <= MARK_KEYS | metric_attributes().keys() | parties


def _known() -> dict[str, set[str]]:
    """Return every series that a gateway exposes, with its labels."""
    known = {f"{PREFIX}{metric.name}": set(metric.labels) for metric in SELF_METRICS.values()}
    attributes = {name: {each.replace(".", "_") for each in found} for name, found in metric_attributes().items()}
    for metric in METRICS.values():
        name = family_name(metric.name, metric.unit, counter=metric.instrument == "counter")
        suffixes = ("_bucket", "_sum", "_count") if metric.instrument == "histogram" else ("",)
        known |= {f"{name}{suffix}": attributes[metric.name] | _PARTIES for suffix in suffixes}
    return known


def _rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(_RULES.glob("*.yml"))]
    return [rule for file in files for group in file.get("groups", ()) for rule in group["rules"]]


def _asked() -> list[str]:
    panels = [query.text for query in queries() if query.language == "prometheus"]
    return [*panels, *(str(rule["expr"]) for rule in _rules())]
