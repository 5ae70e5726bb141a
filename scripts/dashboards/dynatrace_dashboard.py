"""The Dynatrace dashboard, as the Dashboards app uploads it: the document structure of Dynatrace, version 21.

It is documented in words. How charts look is not, so that no tile has settings of its own.
"""

from __future__ import annotations

import json
from typing import Any

from board import ABOUT, SUMMARY, TITLE, TRACE, Panel, Ratio, SpanSum, Sums, placed

__all__ = ["DYNATRACE"]

_VERSION = 21
_ABOUT_HEIGHT = 2
_GRID = 2  # a row has 24 columns
_CHARTS = {"value": "singleValue", "series": "lineChart", "table": "table"}


def _timeseries(sums: dict[str, str], group: str | None) -> str:
    body = ", ".join(f"{name} = sum({metric})" for name, metric in sums.items())
    return f"timeseries {{ {body} }}" + (f", by: {{ {group} }}" if group else "")


def _of_metrics(source: Sums, panel: Panel) -> list[str]:
    divided = "" if source.divisor == 1.0 else f" / {source.divisor:.0f}"
    if panel.shape == "series" and not divided:
        return [_timeseries(dict(source.metrics), panel.group)]
    names = list(source.metrics)
    raw = {f"raw_{name}": metric for name, metric in source.metrics.items()}
    if panel.shape == "series":
        calculated = [f"fieldsAdd {name} = raw_{name}[]{divided}" for name in names]
        return [_timeseries(raw, panel.group), *calculated, f"fieldsRemove {', '.join(raw)}"]
    calculated = [f"fieldsAdd {name} = arraySum(raw_{name}){divided}" for name in names]
    kept = f"fields {', '.join([*([panel.group] if panel.group else []), *names])}"
    ordered = [f"sort {names[0]} desc", "limit 15"] if panel.group else []
    return [_timeseries(raw, panel.group), *calculated, kept, *ordered]


def _of_ratio(source: Ratio, panel: Panel) -> list[str]:
    return [
        _timeseries({"raw_over": source.over, "raw_under": source.under}, panel.group),
        f"fieldsAdd {source.name} = raw_over[] / raw_under[] * {source.factor:.0f}",
        "fieldsRemove raw_over, raw_under",
    ]


def _of_spans(source: SpanSum, panel: Panel) -> list[str]:
    group = "trace.id" if panel.group == TRACE else panel.group
    return [
        "fetch spans",
        'filter otel_carbon.status == "estimated"',
        f"summarize {source.name} = sum({source.attribute}), by: {{ {group} }}",
        f"sort {source.name} desc",
        "limit 15",
    ]


def _query(panel: Panel) -> str:
    if isinstance(panel.source, SpanSum):
        commands = _of_spans(panel.source, panel)
    elif isinstance(panel.source, Ratio):
        commands = _of_ratio(panel.source, panel)
    else:
        commands = _of_metrics(panel.source, panel)
    return "\n| ".join(commands)


def _tile(panel: Panel) -> dict[str, Any]:
    return {
        "type": "data",
        "title": panel.heading(is_net=False),
        "query": _query(panel),
        "visualization": _CHARTS[panel.shape],
        "visualizationSettings": {},
        "querySettings": {},
        **({"description": panel.about} if panel.about else {}),
    }


def _dashboard() -> dict[str, Any]:
    tiles: dict[str, Any] = {"0": {"type": "markdown", "content": f"# {TITLE}\n{SUMMARY}\n\n{ABOUT}"}}
    layouts = {"0": {"x": 0, "y": 0, "w": 12 * _GRID, "h": _ABOUT_HEIGHT}}
    for number, (panel, x, y) in enumerate(placed(y=_ABOUT_HEIGHT), 1):
        tiles[str(number)] = _tile(panel)
        layouts[str(number)] = {"x": x * _GRID, "y": y, "w": panel.width * _GRID, "h": panel.height}
    return {"version": _VERSION, "variables": [], "tiles": tiles, "layouts": layouts}


DYNATRACE = json.dumps(_dashboard(), indent=2) + "\n"
"""The dashboard as a file."""
