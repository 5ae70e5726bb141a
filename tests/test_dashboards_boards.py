"""The boards of SigNoz, New Relic and Dynatrace: of a documented form, with names that we write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boards import BOARDS, TRACE_IDS, asked_of_dynatrace, asked_of_new_relic, asked_of_signoz, builder_queries
from metric_attributes import metric_attributes
from newrelic_sb_sdk.graphql import input_objects as nerdgraph

from otel_carbon.spans.marks import MARK_KEYS

_ROOT = Path(__file__).parents[1]
# What each vendor documents of what is used here, as of November 2026: SigNoz in its OpenAPI document
# (DashboardtypesPostableDashboardV2), Dynatrace in "Document structure - Dashboards".
_SIGNOZ = {
    "": {"schemaVersion", "generateName", "tags", "spec"},
    "tags": {"key", "value"},
    "spec": {"display", "variables", "panels", "layouts"},
    "display": {"name", "description"},
    "layouts": {"kind", "spec"},
    "layouts.spec": {"items"},
    "items": {"x", "y", "width", "height", "content"},
    "content": {"$ref"},
    "panel": {"kind", "spec"},
    "panel.spec": {"display", "plugin", "queries"},
    "plugin": {"kind", "spec"},
    "panel.queries": {"kind", "spec"},
    "panel.queries.spec": {"name", "plugin"},
    "signoz/BuilderQuery": {
        "signal", "name", "aggregations", "filter", "groupBy", "legend", "order", "limit", "disabled",
    },
    "signoz/CompositeQuery": {"queries"},
    "builder_formula": {"name", "expression", "legend", "order", "limit"},
    "metrics": {"metricName", "timeAggregation", "spaceAggregation", "reduceTo"},
    "traces": {"expression", "alias"},
    "groupBy": {"name", "fieldContext", "fieldDataType", "signal"},
    "order": {"key", "direction"},
}  # fmt: skip
_DATA_TILE = {"type", "title", "query", "visualization", "visualizationSettings", "querySettings"}
_SERIES = {"lineChart", "areaChart", "barChart", "bandChart"}


@pytest.mark.parametrize("asked", [asked_of_signoz, asked_of_new_relic, asked_of_dynatrace])
def test_every_metric_has_the_attributes_that_it_is_asked_by_and_every_span_too(asked: Any) -> None:
    attributes, pairs = metric_attributes(), list(asked())

    assert len(pairs) >= 19
    assert {name for name, _ in pairs} >= {"otel_carbon.co2e", "otel_carbon.co2e_grams", "otel_carbon.enriched.spans"}
    for name, groups in pairs:
        known = MARK_KEYS | TRACE_IDS if name in MARK_KEYS else attributes[name]
        assert groups <= known, (name, groups)


def test_the_three_boards_ask_for_the_same() -> None:
    asked = [set(_renamed(each())) for each in (asked_of_signoz, asked_of_dynatrace, asked_of_new_relic)]

    assert asked[0] == asked[1]
    assert {name for name, _ in asked[2] - asked[1]} <= {
        f"otel_carbon.{each}.reversed" for each in ("co2e", "energy", "calls")
    }
    assert asked[1] <= asked[2]


def _renamed(pairs: Iterator[tuple[str, set[str]]]) -> Iterator[tuple[str, frozenset[str]]]:
    for name, groups in pairs:
        yield name, frozenset("trace" if each in TRACE_IDS else each for each in groups)


def test_dynatrace_takes_every_name_as_it_is() -> None:
    """It replaces what it does not allow in the key of a metric or of a dimension by an underscore."""
    for metric, groups in asked_of_dynatrace():
        assert re.fullmatch(r"[A-Za-z][\w-]*(?:\.[A-Za-z_][\w-]*)*", metric, re.ASCII)
        assert all(re.fullmatch(r"[a-z][a-z0-9_.:-]*", group) for group in groups)


def test_the_gateway_sends_new_relic_and_dynatrace_the_deltas_that_their_sums_need() -> None:
    for name in ("new-relic", "dynatrace"):
        page = (_ROOT / "docs" / "backends" / f"{name}.md").read_text(encoding="utf-8")
        assert "carbon_metrics: {temporality: delta}" in page


def test_nerdgraph_has_a_place_for_every_key_of_new_relics() -> None:
    board = BOARDS["new-relic"]
    widgets = board["pages"][0]["widgets"]

    assert list(_unknown(board, nerdgraph.DashboardInput)) == []
    for widget in widgets:
        kind = widget["visualization"]["id"].removeprefix("viz.")
        typed = {kind: widget["rawConfiguration"]}
        assert list(_unknown(typed, nerdgraph.DashboardWidgetConfigurationInput)) == []
        assert {"title", "layout"} <= set(widget)


@pytest.mark.parametrize("path", [(), ("pages", 0), ("pages", 0, "widgets", 1), ("pages", 0, "widgets", 1, "layout")])
def test_nerdgraph_would_tell(path: tuple[str | int, ...]) -> None:
    board = json.loads(json.dumps(BOARDS["new-relic"]))
    inner = board
    for step in path:
        inner = inner[step]
    inner["no_such_key"] = 1

    assert len(list(_unknown(board, nerdgraph.DashboardInput))) == 1


def _unknown(value: Any, kind: Any, where: str = "") -> Iterator[str]:
    """Yield the keys that an input type of NerdGraph has not, and the ones that it needs and does not get."""
    if isinstance(value, list):
        for each in value:
            yield from _unknown(each, kind, where)
    elif isinstance(value, dict) and hasattr(kind, "__field_names__"):
        fields = {field.graphql_name: field.type for field in kind}
        yield from (f"{where}.{key}" for key in value.keys() - fields.keys())
        yield from (f"{where}.{key} is missing" for key in fields.keys() - value.keys() if str(fields[key])[-1] == "!")
        for key in value.keys() & fields.keys():
            yield from _unknown(value[key], _bare(fields[key]), f"{where}.{key}")


def _bare(kind: Any) -> Any:
    """Return a type without its list and its exclamation mark."""
    return getattr(nerdgraph, re.sub(r"[\[\]!]", "", str(kind)), None)


def test_signoz_has_documented_every_key_of_its_board() -> None:
    board = BOARDS["signoz"]
    spec = board["spec"]

    assert (board["schemaVersion"], set(board)) == ("v6", _SIGNOZ[""])
    assert set(spec) == _SIGNOZ["spec"]
    assert all(set(each) == _SIGNOZ["tags"] for each in board["tags"])
    for layout in spec["layouts"]:
        assert (layout["kind"], set(layout), set(layout["spec"])) == ("Grid", _SIGNOZ["layouts"], {"items"})
        for item in layout["spec"]["items"]:
            assert (set(item), set(item["content"])) == (_SIGNOZ["items"], _SIGNOZ["content"])
    for panel in spec["panels"].values():
        assert (panel["kind"], set(panel), set(panel["spec"])) == ("Panel", _SIGNOZ["panel"], _SIGNOZ["panel.spec"])
        assert set(panel["spec"]["display"]) <= _SIGNOZ["display"]
        (query,) = panel["spec"]["queries"]  # one: several are a composite query
        assert (set(query), set(query["spec"])) == (_SIGNOZ["panel.queries"], _SIGNOZ["panel.queries.spec"])
        is_series = panel["spec"]["plugin"]["kind"] == "signoz/TimeSeriesPanel"
        assert query["kind"] == ("time_series" if is_series else "scalar")
        _check_plugin(query["spec"]["plugin"])


def _check_plugin(plugin: dict[str, Any]) -> None:
    assert set(plugin) == _SIGNOZ["plugin"]
    if plugin["kind"] == "signoz/CompositeQuery":
        assert set(plugin["spec"]) == _SIGNOZ["signoz/CompositeQuery"]
        formulas = [each["spec"] for each in plugin["spec"]["queries"] if each["type"] == "builder_formula"]
        assert all(set(each) <= _SIGNOZ["builder_formula"] for each in formulas)
        names = {each["name"] for each in builder_queries(plugin)}
        assert all(set(re.findall(r"[A-Z]", each["expression"])) == names for each in formulas)
    for query in builder_queries(plugin):
        assert set(query) <= _SIGNOZ["signoz/BuilderQuery"]
        assert all(set(each) <= _SIGNOZ[query["signal"]] for each in query["aggregations"])
        assert all(set(each) <= _SIGNOZ["groupBy"] for each in query.get("groupBy", ()))
        (one,) = query["aggregations"]
        composed = one.get("expression") or f"{one['spaceAggregation']}({one['timeAggregation']}({one['metricName']}))"
        assert [each["key"]["name"] for each in query.get("order", ())] in ([], [composed])


def test_dynatrace_has_documented_every_key_of_its_board() -> None:
    board = BOARDS["dynatrace"]

    assert (board["version"], set(board)) == (21, {"version", "variables", "tiles", "layouts"})
    assert board["tiles"].keys() == board["layouts"].keys()
    for tile in board["tiles"].values():
        if tile["type"] == "markdown":
            assert set(tile) == {"type", "content"}
            continue
        assert _DATA_TILE <= set(tile) <= _DATA_TILE | {"description"}
        is_series = tile["query"].startswith("timeseries") and "arraySum" not in tile["query"]
        assert (tile["visualization"] in _SERIES) == is_series
        assert is_series or tile["visualization"] == ("table" if "| sort " in tile["query"] else "singleValue")


@pytest.mark.parametrize(("name", "columns"), [("signoz", 12), ("new-relic", 12), ("dynatrace", 24)])
def test_no_panel_of_a_board_covers_another(name: str, columns: int) -> None:
    taken: set[tuple[int, int]] = set()
    for x, y, width, height in _places(name):
        cells = {(x + right, y + down) for right in range(width) for down in range(height)}
        assert x + width <= columns
        assert not cells & taken
        taken |= cells
    assert len(taken) > 100


def _places(name: str) -> list[tuple[int, int, int, int]]:
    board = BOARDS[name]
    if name == "signoz":
        (layout,) = board["spec"]["layouts"]
        items = layout["spec"]["items"]
        shown = [each["content"]["$ref"].removeprefix("#/spec/panels/") for each in items]
        assert sorted(shown) == sorted(board["spec"]["panels"])
        return [(each["x"], each["y"], each["width"], each["height"]) for each in items]
    if name == "dynatrace":
        return [(each["x"], each["y"], each["w"], each["h"]) for each in board["layouts"].values()]
    layouts = [widget["layout"] for widget in board["pages"][0]["widgets"]]
    return [(each["column"] - 1, each["row"] - 1, each["width"], each["height"]) for each in layouts]
