"""The New Relic dashboard, as NerdGraph's `dashboardCreate` takes it and as it is imported in the browser."""

from __future__ import annotations

import json
from typing import Any

from board import ABOUT, COLUMNS, SUMMARY, TAKEN_BACK, TITLE, TRACE, Panel, Ratio, SpanSum, Sums, placed

__all__ = ["NEW_RELIC"]

_ACCOUNT_ID = 0  # whose uses this puts theirs in; the guide has the command
_ABOUT_HEIGHT = 2
_CHARTS = {"value": "viz.billboard", "series": "viz.area", "table": "viz.bar"}


def _net(metric: str) -> str:
    """Return what was counted less what the ledger took back: a sum over no such metric is zero in NRQL."""
    reversed_ = TAKEN_BACK.get(metric)
    return f"(sum({metric}) - sum({reversed_}))" if reversed_ else f"sum({metric})"


def _selected(source: Sums | Ratio | SpanSum) -> tuple[str, str, str]:
    """Return the type of data, what is selected of it, and a condition."""
    if isinstance(source, SpanSum):
        return "Span", f"sum({source.attribute}) AS '{source.name}'", "WHERE otel_carbon.status = 'estimated'"
    if isinstance(source, Ratio):
        ratio = f"sum({source.over}) / sum({source.under}) * {source.factor:.0f} AS '{source.name}'"
        return "Metric", ratio, ""
    divided = "" if source.divisor == 1.0 else f" / {source.divisor:.0f}"
    whole = _net if len(source.metrics) == 1 else "sum({})".format  # a band has no reversals of its bounds
    return "Metric", ", ".join(f"{whole(metric)}{divided} AS '{name}'" for name, metric in source.metrics.items()), ""


def _query(panel: Panel) -> str:
    data, selected, condition = _selected(panel.source)
    clauses = [f"FROM {data} SELECT {selected}", condition]
    if panel.group:
        clauses.append(f"FACET {'trace.id' if panel.group == TRACE else panel.group}")
    clauses += ["TIMESERIES"] if panel.shape == "series" else ["LIMIT 15"] if panel.group else []
    return " ".join(clause for clause in clauses if clause)


def _widget(panel: Panel, x: int, y: int) -> dict[str, Any]:
    is_stacked = panel.group and isinstance(panel.source, Sums)
    chart = "viz.line" if panel.shape == "series" and not is_stacked else _CHARTS[panel.shape]
    return {
        "title": panel.heading(is_net=True),
        **({"description": panel.about} if panel.about else {}),
        "layout": {"column": x + 1, "row": y + 1, "width": panel.width, "height": panel.height},
        "visualization": {"id": chart},
        "rawConfiguration": {"nrqlQueries": [{"accountId": _ACCOUNT_ID, "query": _query(panel)}]},
    }


def _dashboard() -> dict[str, Any]:
    about = {
        "title": "",
        "layout": {"column": 1, "row": 1, "width": COLUMNS, "height": _ABOUT_HEIGHT},
        "visualization": {"id": "viz.markdown"},
        "rawConfiguration": {"text": ABOUT},
    }
    widgets = [about, *(_widget(*each) for each in placed(y=_ABOUT_HEIGHT))]
    page = {"name": TITLE, "description": SUMMARY, "widgets": widgets}
    return {"name": TITLE, "description": SUMMARY, "permissions": "PUBLIC_READ_WRITE", "pages": [page]}


NEW_RELIC = json.dumps(_dashboard(), indent=2) + "\n"
"""The dashboard as a file."""
