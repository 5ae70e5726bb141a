"""The Datadog dashboard, as Datadog's API takes it and as it is imported in the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["DATADOG"]

_VARIABLES = {"provider": "gen_ai.provider.name", "model": "gen_ai.response.model", "region": "otel_carbon.region.name"}
_FILTER = ",".join(f"${name}" for name in _VARIABLES)
_GRAMS, _WATT_HOURS, _INTENSITY = "gCO2e", "Wh", "gCO2e/kWh"
_JOULES_PER_WH = 3600.0
_JOULES_PER_KWH = 3_600_000.0
_ABOUT = """\
Estimates, never without bounds: low and high are an approximate 90 % interval, and bounds add up. Calls that the ledger
took back are subtracted. What a call without token counts would add is not known: see *Coverage* before you compare.

The method: [otel-carbon](https://pypi.org/project/otel-carbon/), docs/methodology.md. Written by
`scripts/generate-dashboards`."""


def _sum(name: str, metric: str, *groups: str) -> dict[str, Any]:
    by = f" by {{{','.join(groups)}}}" if groups else ""
    query = f"sum:{metric}{{{_FILTER}}}{by}.as_count()"
    return {"data_source": "metrics", "name": name, "query": query, "aggregator": "sum"}


def _formula(formula: str, unit: str, alias: str) -> dict[str, Any]:
    label = {"type": "custom_unit_label", "label": unit}
    return {"formula": formula, "alias": alias, "number_format": {"unit": label}}


def _request(
    queries: Sequence[Mapping[str, Any]], formulas: Sequence[Mapping[str, Any]], response: str = "scalar"
) -> dict[str, Any]:
    return {"response_format": response, "queries": list(queries), "formulas": list(formulas)}


def _net(metric: str, *groups: str) -> tuple[list[dict[str, Any]], str]:
    """Return what was counted less what the ledger took back, which is nothing as long as there is no such series."""
    counted, reversed_ = (_sum(name, each, *groups) for name, each in (("a", metric), ("b", f"{metric}.reversed")))
    return [counted, reversed_], "a - default_zero(b)"


def _value(title: str, metric: str, unit: str, *, divisor: float = 1.0, net: bool = True) -> dict[str, Any]:
    queries, formula = _net(metric) if net else ([_sum("a", metric)], "a")
    scaled = formula if divisor == 1.0 else f"({formula}) / {divisor:g}"
    request = _request(queries, [_formula(scaled, unit, title)])
    return {"type": "query_value", "title": title, "autoscale": False, "precision": 2, "requests": [request]}


def _series(title: str, metric: str, unit: str, group: str, *, divisor: float = 1.0) -> dict[str, Any]:
    queries, formula = _net(metric, group)
    scaled = formula if divisor == 1.0 else f"({formula}) / {divisor:g}"
    request = _request(queries, [_formula(scaled, unit, unit)], "timeseries") | {"display_type": "bars"}
    return {"type": "timeseries", "title": title, "show_legend": True, "requests": [request]}


def _top(title: str, metric: str, unit: str, group: str) -> dict[str, Any]:
    queries, formula = _net(metric, group)
    limited = _formula(formula, unit, unit) | {"limit": {"count": 15, "order": "desc"}}
    return {"type": "toplist", "title": title, "requests": [_request(queries, [limited])]}


def _band() -> dict[str, Any]:
    """Return the emissions with their bounds, before reversals: of the bounds nothing is taken back."""
    names = {"low": "otel_carbon.co2e.low", "central": "otel_carbon.co2e", "high": "otel_carbon.co2e.high"}
    queries = [_sum(name, metric) for name, metric in names.items()]
    formulas = [_formula(name, _GRAMS, name) for name in names]
    request = _request(queries, formulas, "timeseries") | {"display_type": "line"}
    title = "Emissions with bounds, before reversals"
    return {"type": "timeseries", "title": title, "show_legend": True, "requests": [request]}


def _intensity() -> dict[str, Any]:
    zone = "otel_carbon.grid.zone"
    queries = [
        {**_sum(name, metric, zone), "query": f"sum:{metric}{{*}} by {{{zone}}}.as_count()"}
        for name, metric in (("g", "otel_carbon.grid.co2e"), ("j", "otel_carbon.grid.energy"))
    ]
    formula = _formula(f"g / j * {_JOULES_PER_KWH:.0f}", _INTENSITY, _INTENSITY)
    request = _request(queries, [formula], "timeseries") | {"display_type": "line"}
    return {
        "type": "timeseries",
        "title": "Grid intensity that was applied, by zone",
        "show_legend": True,
        "requests": [request],
    }


def _coverage() -> dict[str, Any]:
    query = {
        **_sum("a", "otel_carbon.enriched.spans"),
        "query": "sum:otel_carbon.enriched.spans{$provider} by {otel_carbon.status}.as_count()",
    }
    request = _request([query], [_formula("a", "spans", "spans")], "timeseries") | {"display_type": "bars"}
    title = "Coverage: spans of calls by outcome; only `estimated` is in the sums"
    return {"type": "timeseries", "title": title, "show_legend": True, "requests": [request]}


_MODEL, _REGION = "gen_ai.response.model", "otel_carbon.region.name"
_WIDGETS: Sequence[tuple[dict[str, Any], int, int]] = (
    ({"type": "note", "content": _ABOUT, "background_color": "gray", "show_tick": False}, 12, 2),
    (_value("Emissions", "otel_carbon.co2e", _GRAMS), 3, 2),
    (_value("Emissions, low, before reversals", "otel_carbon.co2e.low", _GRAMS, net=False), 3, 2),
    (_value("Emissions, high, before reversals", "otel_carbon.co2e.high", _GRAMS, net=False), 3, 2),
    (_value("Energy", "otel_carbon.energy", _WATT_HOURS, divisor=_JOULES_PER_WH), 3, 2),
    (_series("Emissions by model", "otel_carbon.co2e", _GRAMS, _MODEL), 6, 3),
    (_band(), 6, 3),
    (_top("Emissions by model", "otel_carbon.co2e", _GRAMS, _MODEL), 4, 4),
    (_top("Emissions by provider", "otel_carbon.co2e", _GRAMS, "gen_ai.provider.name"), 4, 4),
    (_top("Emissions by region", "otel_carbon.co2e", _GRAMS, _REGION), 4, 4),
    (_series("Energy by model", "otel_carbon.energy", _WATT_HOURS, _MODEL, divisor=_JOULES_PER_WH), 6, 3),
    (_series("Calls by model", "otel_carbon.calls", "calls", _MODEL), 6, 3),
    (_intensity(), 4, 3),
    (_coverage(), 4, 3),
    (_value("Emissions that prompt caches avoided", "otel_carbon.cache.avoided.co2e", _GRAMS, net=False), 4, 3),
)


def _placed() -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    x = y = row_height = 0
    for definition, width, height in _WIDGETS:
        if x + width > 12:
            x, y, row_height = 0, y + row_height, 0
        layout = {"x": x, "y": y, "width": width, "height": height}
        placed.append({"definition": definition, "layout": layout})
        x, row_height = x + width, max(row_height, height)
    return placed


def _dashboard() -> dict[str, Any]:
    variables = [{"name": name, "prefix": tag, "defaults": ["*"]} for name, tag in _VARIABLES.items()]
    return {
        "title": "GenAI carbon",
        "description": "Energy and emissions of GenAI calls, with bounds and coverage.",
        "layout_type": "ordered",
        "reflow_type": "fixed",
        "template_variables": variables,
        "widgets": _placed(),
    }


DATADOG = json.dumps(_dashboard(), indent=2) + "\n"
"""The dashboard as a file."""
