"""docs/backends/grafana.md and the provisioning files, as far as they can be followed without a Grafana."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_dashboards import FOLDER, dashboards
from metric_attributes import metric_attributes

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "backends" / "grafana.md"
_PROVISIONING = FOLDER / "provisioning"

# The keys that Grafana documents in "Provision Grafana" and of the two data sources.
_DATA_SOURCE = {
    "name", "type", "access", "orgId", "uid", "url", "user", "database", "basicAuth", "basicAuthUser",
    "withCredentials", "isDefault", "jsonData", "secureJsonData", "version", "editable",
}  # fmt: skip
_JSON_DATA = {
    "prometheus": {
        "httpMethod", "manageAlerts", "prometheusType", "prometheusVersion", "cacheLevel", "disableRecordingRules",
        "timeInterval", "incrementalQueryOverlapWindow", "exemplarTraceIdDestinations", "queryTimeout",
    },
    "tempo": {
        "tracesToLogsV2", "tracesToMetrics", "tracesToProfiles", "serviceMap", "nodeGraph", "search", "traceQuery",
        "spanBar", "streamingEnabled",
    },
}  # fmt: skip
_EXEMPLARS = {"name", "datasourceUid", "url", "urlDisplayLabel"}
_TO_METRICS = {"datasourceUid", "spanStartTimeShift", "spanEndTimeShift", "tags", "queries"}
_PROVIDER = {
    "name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates",
    "options",
}  # fmt: skip


def _provisioned(kind: str) -> dict[str, Any]:
    (file,) = (_PROVISIONING / kind).glob("*.yml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert found["apiVersion"] == 1
    return found


def _sources() -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in _provisioned("datasources")["datasources"]}


def test_provisioning_has_keys_that_grafana_documents() -> None:
    for kind, source in _sources().items():
        assert set(source) <= _DATA_SOURCE
        assert set(source["jsonData"]) <= _JSON_DATA[kind]
    (exemplars,) = _sources()["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    to_metrics = _sources()["tempo"]["jsonData"]["tracesToMetrics"]
    assert set(exemplars) <= _EXEMPLARS
    assert set(to_metrics) <= _TO_METRICS
    assert all(set(tag) == {"key", "value"} for tag in to_metrics["tags"])
    assert all(set(query) == {"name", "query"} for query in to_metrics["queries"])
    (provider,) = _provisioned("dashboards")["providers"]
    assert set(provider) <= _PROVIDER
    assert (provider["type"], set(provider["options"])) == ("file", {"path"})


def test_the_data_sources_lead_to_each_other_by_their_uids() -> None:
    sources = _sources()
    (exemplars,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]

    assert exemplars["datasourceUid"] == sources["tempo"]["uid"]
    assert sources["tempo"]["jsonData"]["tracesToMetrics"]["datasourceUid"] == sources["prometheus"]["uid"]


def test_every_dashboard_finds_the_data_sources_that_are_provisioned() -> None:
    """A variable without a choice takes the default source of its type, or the first: there is one of each."""
    sources = _provisioned("datasources")["datasources"]
    assert [one["type"] for one in sources if one.get("isDefault")] == ["prometheus"]
    for document in dashboards().values():
        variables = [one for one in document["templating"]["list"] if one["type"] == "datasource"]
        assert variables
        for variable in variables:
            assert [one["type"] for one in sources].count(variable["query"]) == 1
            assert variable.get("current") is None
            assert variable.get("regex", "") == ""


def test_from_a_span_to_its_metric_the_names_are_those_that_exist() -> None:
    to_metrics = _sources()["tempo"]["jsonData"]["tracesToMetrics"]
    known = metric_attributes()["otel_carbon.co2e"]

    for tag in to_metrics["tags"]:
        assert tag["key"] in known
        assert tag["value"] == tag["key"].replace(".", "_")
    (query,) = to_metrics["queries"]
    # A dollar sign in a provisioning file is doubled, or what follows is taken for a variable of the environment.
    assert query["query"] == "sum(increase(otel_carbon_co2e_grams_total{$$__tags}[1h]))"


def test_whoever_follows_the_guide_has_the_dashboards_where_grafana_looks_for_them(tmp_path: Path) -> None:
    found = re.search(r"^## Set it up\n```bash[^\n]*\n(.*?)^```", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    *commands, restart = found[1].splitlines()
    for folder in ("etc/grafana/provisioning/datasources", "etc/grafana/provisioning/dashboards", "var/lib/grafana"):
        (tmp_path / folder).mkdir(parents=True)  # what a package of Grafana makes
    script = re.sub(r" (/(?:etc|var)/)", rf" {tmp_path}\1", "\n".join(commands))

    done = subprocess.run(["bash", "-euc", script], cwd=_ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert restart.startswith("systemctl restart grafana")
    (provider,) = _provisioned("dashboards")["providers"]
    read_from = tmp_path / provider["options"]["path"].lstrip("/")
    assert {path.stem for path in read_from.glob("*.json")} == set(dashboards())
    assert len(list((tmp_path / "etc/grafana/provisioning").glob("*/otel-carbon.yml"))) == 2


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_a_dashboard_has_a_uid_of_its_own_and_no_id(name: str) -> None:
    assert dashboards()[name]["uid"] == name
    assert dashboards()[name].get("id") is None
