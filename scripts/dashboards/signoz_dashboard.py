"""The SigNoz dashboard in schema v6, which its API and its import take from SigNoz 0.135 on."""

from __future__ import annotations

import json
from typing import Any

from board import ABOUT, SUMMARY, TITLE, TRACE, Panel, Ratio, SpanSum, placed

__all__ = ["SIGNOZ"]

_PANELS = {"value": "signoz/NumberPanel", "series": "signoz/TimeSeriesPanel", "table": "signoz/TablePanel"}
_TRACE_ID = {"name": "trace_id", "fieldContext": "span", "fieldDataType": "string", "signal": "traces"}
_LIMIT = 15


def _ordered(by: str) -> dict[str, Any]:
    return {"order": [{"key": {"name": by}, "direction": "desc"}], "limit": _LIMIT}


def _grouped(panel: Panel, signal: str) -> dict[str, Any]:
    if panel.group is None:
        return {}
    attribute = {"name": panel.group, "fieldContext": "attribute", "fieldDataType": "string", "signal": signal}
    key = _TRACE_ID if panel.group == TRACE else attribute
    return {"groupBy": [key], "legend": f"{{{{{key['name']}}}}}"}


def _of_metric(panel: Panel, name: str, metric: str, *, legend: str | None = None) -> dict[str, Any]:
    aggregation = {
        "metricName": metric,
        "timeAggregation": "increase",
        "spaceAggregation": "sum",
        **({} if panel.shape == "series" else {"reduceTo": "sum"}),
    }
    query = {"signal": "metrics", "name": name, "aggregations": [aggregation], **_grouped(panel, "metrics")}
    if panel.group:
        query |= _ordered(f"sum(increase({metric}))")
    return query | ({"legend": legend} if legend and not panel.group else {})


def _of_spans(panel: Panel, source: SpanSum) -> dict[str, Any]:
    expression = f"sum({source.attribute})"
    return {
        "signal": "traces",
        "name": "A",
        "aggregations": [{"expression": expression, "alias": source.name}],
        "filter": {"expression": "otel_carbon.status = 'estimated'"},
        **_grouped(panel, "traces"),
        **_ordered(expression),
    }


def _calculated(panel: Panel, metrics: list[str], expression: str, name: str) -> dict[str, Any]:
    inputs = [_of_metric(panel, letter, metric) for letter, metric in zip("AB", metrics, strict=False)]
    formula = {"name": "F1", "expression": expression, **_ordered("__result")}
    formula["legend"] = _grouped(panel, "metrics").get("legend", name)
    queries = [{"type": "builder_query", "spec": {**each, "disabled": True}} for each in inputs]
    queries.append({"type": "builder_formula", "spec": formula})
    return {"kind": "signoz/CompositeQuery", "spec": {"queries": queries}}


def _plugin(panel: Panel) -> dict[str, Any]:
    source = panel.source
    if isinstance(source, SpanSum):
        return {"kind": "signoz/BuilderQuery", "spec": _of_spans(panel, source)}
    if isinstance(source, Ratio):
        return _calculated(panel, [source.over, source.under], f"A / B * {source.factor:.0f}", source.name)
    if source.divisor != 1.0:
        ((name, metric),) = source.metrics.items()
        return _calculated(panel, [metric], f"A / {source.divisor:.0f}", name)
    queries = [
        _of_metric(panel, letter, metric, legend=name)
        for letter, (name, metric) in zip("ABC", source.metrics.items(), strict=False)
    ]
    if len(queries) == 1:
        return {"kind": "signoz/BuilderQuery", "spec": queries[0]}
    return {
        "kind": "signoz/CompositeQuery",
        "spec": {"queries": [{"type": "builder_query", "spec": each} for each in queries]},
    }


def _panel(panel: Panel) -> dict[str, Any]:
    kind = "time_series" if panel.shape == "series" else "scalar"
    return {
        "kind": "Panel",
        "spec": {
            "display": {"name": panel.heading(is_net=False), "description": panel.about},
            "plugin": {"kind": _PANELS[panel.shape], "spec": {}},
            "queries": [{"kind": kind, "spec": {"name": "A", "plugin": _plugin(panel)}}],
        },
    }


def _dashboard() -> dict[str, Any]:
    items = [
        {
            "x": x,
            "y": y,
            "width": panel.width,
            "height": panel.height,
            "content": {"$ref": f"#/spec/panels/{panel.id}"},
        }
        for panel, x, y in placed()
    ]
    return {
        "schemaVersion": "v6",
        "generateName": True,
        "tags": [{"key": "topic", "value": "carbon"}],
        "spec": {
            "display": {"name": TITLE, "description": f"{SUMMARY} {ABOUT}"},
            "variables": [],
            "panels": {panel.id: _panel(panel) for panel, _, _ in placed()},
            "layouts": [{"kind": "Grid", "spec": {"items": items}}],
        },
    }


SIGNOZ = json.dumps(_dashboard(), indent=2) + "\n"
"""The dashboard as a file."""
