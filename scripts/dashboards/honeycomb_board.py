"""The Honeycomb board with its queries and calculated fields, as a Terraform configuration in JSON.

Honeycomb's API makes a board of queries that exist already, by their ids. Terraform makes them in that order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["HONEYCOMB"]

_EVERYWHERE = "__all__"
_WEEK_S = 604_800
_CO2E, _ENERGY = "otel_carbon.co2e_grams", "otel_carbon.energy_wh"
_STATUS, _CONFIDENCE, _MODEL = "otel_carbon.status", "otel_carbon.confidence", "gen_ai.response.model"
_KILOGRAMS, _COVERED, _WEAK = "carbon_co2e_kg", "carbon_is_estimated", "carbon_weak_co2e_grams"

_FIELDS: Mapping[str, tuple[str, str]] = {
    _KILOGRAMS: (f"DIV(${_CO2E}, 1000)", "Emissions of a GenAI call in kg CO2e, central value."),
    _COVERED: (
        f'IF(EQUALS(${_STATUS}, "estimated"), 1, IN(${_STATUS}, "no_usage", "unknown_model"), 0)',
        "1 for a completed GenAI call with an estimate, 0 for one without: its average is the coverage.",
    ),
    _WEAK: (
        f'IF(IN(${_CONFIDENCE}, "class_default", "low"), ${_CO2E})',
        "Emissions whose factor is no better than the default of a class of models.",
    ),
}


@dataclass(frozen=True, slots=True)
class _Panel:
    id: str
    name: str
    description: str
    calculations: Sequence[tuple[str, str | None]]
    breakdowns: Sequence[str] = ()
    style: str = "graph"
    status: str | None = "estimated"

    def query(self) -> dict[str, Any]:
        """Return the query as Honeycomb's Query Specification has it."""
        first_op, first_column = self.calculations[0]
        first = {"op": first_op} if first_column is None else {"op": first_op, "column": first_column}
        status = {"op": "exists"} if self.status is None else {"op": "=", "value": self.status}
        return {
            "calculations": [{"op": op} | ({"column": column} if column else {}) for op, column in self.calculations],
            "filters": [{"column": _STATUS, **status}],
            "breakdowns": list(self.breakdowns),
            "orders": [{**first, "order": "descending"}] if self.breakdowns else [],
            "limit": 100,
            "time_range": _WEEK_S,
        }


_BOUNDS = (("SUM", _CO2E), ("SUM", f"{_CO2E}_low"), ("SUM", f"{_CO2E}_high"))
_PANELS = (
    _Panel(
        "emissions",
        "Emissions with bounds (gCO2e)",
        "Central value, low and high: an approximate 90 % interval. Bounds add up.",
        _BOUNDS,
    ),
    _Panel(
        "by_model", "Emissions by model (gCO2e)", "With both bounds.", (*_BOUNDS, ("COUNT", None)), (_MODEL,), "combo"
    ),
    _Panel("by_service", "Emissions by service (kgCO2e)", "", (("SUM", _KILOGRAMS),), ("service.name",), "table"),
    _Panel("energy", "Energy by model (Wh)", "At the data-centre meter.", (("SUM", _ENERGY),), (_MODEL,), "combo"),
    _Panel(
        "by_region",
        "Emissions and grid intensity by region",
        "The applied intensity in g/kWh, and how the region was found.",
        (("SUM", _CO2E), ("AVG", "otel_carbon.grid.intensity_g_per_kwh")),
        ("otel_carbon.region.name", "otel_carbon.grid.zone", "otel_carbon.region.source"),
        "table",
    ),
    _Panel(
        "by_confidence",
        "What the emissions rest on (gCO2e)",
        "How well the energy factor is known; the second column is what rests on the default of a class, or less.",
        (("SUM", _CO2E), ("SUM", _WEAK)),
        (_CONFIDENCE, "otel_carbon.factor.match"),
        "table",
    ),
    _Panel(
        "coverage",
        "Coverage",
        "The share of completed calls that have an estimate. The others are in no sum.",
        (("AVG", _COVERED), ("COUNT", None)),
        (),
        "graph",
        None,
    ),
    _Panel("outcomes", "Calls by outcome", "Why numbers are missing.", (("COUNT", None),), (_STATUS,), "combo", None),
    _Panel("traces", "Traces that emit most", "", (("SUM", _CO2E), ("COUNT", None)), ("trace.trace_id",), "table"),
)


def _field_name(alias: str) -> str:
    return f"honeycombio_derived_column.{alias}"


def _used_fields(panel: _Panel) -> list[str]:
    return [_field_name(column) for _, column in panel.calculations if column in _FIELDS]


def _query(panel: _Panel) -> dict[str, Any]:
    used = _used_fields(panel)
    again = {"lifecycle": {"replace_triggered_by": used}} if used else {}
    return {"query_json": json.dumps(panel.query()), **again}


def _annotation(panel: _Panel) -> dict[str, Any]:
    described = {"description": panel.description} if panel.description else {}
    query_id = f"${{honeycombio_query.{panel.id}.id}}"
    return {"dataset": _EVERYWHERE, "query_id": query_id, "name": panel.name, **described}


def _board_panel(index: int, panel: _Panel) -> dict[str, Any]:
    return {
        "type": "query",
        "query_panel": {
            "query_id": f"${{honeycombio_query.{panel.id}.id}}",
            "query_annotation_id": f"${{honeycombio_query_annotation.{panel.id}.id}}",
            "query_style": panel.style,
        },
        "position": {"x_coordinate": index % 2 * 6, "y_coordinate": index // 2 * 4, "width": 6, "height": 4},
    }


def _configuration() -> dict[str, Any]:
    fields = {
        alias: {"dataset": _EVERYWHERE, "alias": alias, "expression": expression, "description": description}
        for alias, (expression, description) in _FIELDS.items()
    }
    board = {
        "name": "GenAI carbon",
        "description": "Energy and emissions of GenAI calls, as estimates with bounds, and their coverage.",
        "panel": [_board_panel(index, panel) for index, panel in enumerate(_PANELS)],
    }
    return {
        "//": "Written by scripts/generate-dashboards. docs/backends/honeycomb.md says how it is applied.",
        "terraform": {"required_providers": {"honeycombio": {"source": "honeycombio/honeycombio"}}},
        "resource": {
            "honeycombio_derived_column": fields,
            "honeycombio_query": {panel.id: _query(panel) for panel in _PANELS},
            "honeycombio_query_annotation": {panel.id: _annotation(panel) for panel in _PANELS},
            "honeycombio_flexible_board": {"genai_carbon": board},
        },
    }


HONEYCOMB = json.dumps(_configuration(), indent=2) + "\n"
"""The configuration as a file."""
