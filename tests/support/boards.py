"""The boards of SigNoz, New Relic and Dynatrace, and what they ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["BOARDS", "TRACE_IDS", "asked_of_dynatrace", "asked_of_new_relic", "asked_of_signoz", "builder_queries"]

_FOLDER = Path(__file__).parents[2] / "dashboards"
BOARDS = {
    name: json.loads((_FOLDER / name / "genai-carbon.json").read_text(encoding="utf-8"))
    for name in ("signoz", "new-relic", "dynatrace")
}
TRACE_IDS = {"trace.id", "trace_id"}

# The parts of NRQL and DQL that the boards use. Neither vendor publishes a grammar.
_NRQL = re.compile(
    r"FROM (?P<data>Metric|Span) SELECT (?P<selected>.+?)(?: WHERE otel_carbon\.status = 'estimated')?"
    r"(?: FACET (?P<group>[\w.]+))?(?: TIMESERIES| LIMIT \d+)?"
)
_NRQL_SELECTED = re.compile(r"\(?(?:sum\([\w.]+\)(?: [-/] )?)+\)?(?: [/*] \d+)? AS '\w+'")
_DQL_TIMESERIES = re.compile(r"timeseries \{ (?P<sums>[^}]+) \}(?:, by: \{ (?P<group>[\w.]+) \})?")
_DQL_SPANS = re.compile(
    r'fetch spans\n\| filter otel_carbon\.status == "estimated"\n'
    r"\| summarize gCO2e = sum\((?P<sum>[\w.]+)\), by: \{ (?P<group>[\w.]+) \}\n\| sort gCO2e desc\n\| limit \d+"
)
_DQL_COMMAND = re.compile(
    r"fieldsAdd \w+ = (?:arraySum\(\w+\)|\w+\[\](?: / \w+\[\])?)(?: [/*] \d+)?|fieldsRemove \w+(?:, \w+)*"
    r"|fields [\w.]+(?:, \w+)*|sort \w+ desc|limit \d+"
)


def asked_of_signoz() -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics and attributes of spans that SigNoz sums, and by what."""
    for panel in BOARDS["signoz"]["spec"]["panels"].values():
        for query in builder_queries(panel["spec"]["queries"][0]["spec"]["plugin"]):
            groups = {each["name"] for each in query.get("groupBy", ())}
            for each in query["aggregations"]:
                yield each.get("metricName") or each["expression"].removeprefix("sum(").removesuffix(")"), groups


def builder_queries(plugin: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the queries of a panel that are made with the query builder."""
    if plugin["kind"] == "signoz/BuilderQuery":
        return [plugin["spec"]]
    return [each["spec"] for each in plugin["spec"]["queries"] if each["type"] == "builder_query"]


def _nrql() -> list[str]:
    widgets = BOARDS["new-relic"]["pages"][0]["widgets"]
    return [each["query"] for widget in widgets for each in widget["rawConfiguration"].get("nrqlQueries", ())]


def asked_of_new_relic() -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics and attributes of spans that New Relic sums, and by what."""
    for query in _nrql():
        found = _NRQL.fullmatch(query)
        assert found is not None, query
        for selected in found["selected"].split(", "):
            assert _NRQL_SELECTED.fullmatch(selected), query
            for name in re.findall(r"sum\(([\w.]+)\)", selected):
                yield name, {found["group"]} - {None}


def _dql() -> list[str]:
    return [tile["query"] for tile in BOARDS["dynatrace"]["tiles"].values() if tile["type"] == "data"]


def asked_of_dynatrace() -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics and attributes of spans that Dynatrace sums, and by what."""
    for query in _dql():
        if spans := _DQL_SPANS.fullmatch(query):
            yield spans["sum"], {spans["group"]}
            continue
        source, *commands = query.split("\n| ")
        found = _DQL_TIMESERIES.fullmatch(source)
        assert found is not None, query
        assert all(_DQL_COMMAND.fullmatch(each) for each in commands), query
        for each in found["sums"].split(", "):
            summed = re.fullmatch(r"\w+ = sum\(([\w.]+)\)", each)
            assert summed is not None, query
            yield summed[1], {found["group"]} - {None}
