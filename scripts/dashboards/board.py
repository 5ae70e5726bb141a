"""What the boards of SigNoz, New Relic and Dynatrace show, in the words of no vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ABOUT",
    "COLUMNS",
    "PANELS",
    "SUMMARY",
    "TAKEN_BACK",
    "TITLE",
    "TRACE",
    "Panel",
    "Ratio",
    "SpanSum",
    "Sums",
    "placed",
]

COLUMNS = 12
TRACE = "trace"  # in a group: the id of a trace, which each backend calls otherwise
TITLE = "GenAI carbon"
SUMMARY = "Energy and emissions of GenAI calls, as estimates with bounds, and their coverage."
ABOUT = """\
Estimates, never without bounds: low and high are an approximate 90 % interval, and bounds add up. What a call without
token counts would add is not known: see *Coverage* before you compare.

The method: [otel-carbon](https://pypi.org/project/otel-carbon/), docs/methodology.md. Written by
`scripts/generate-dashboards`."""

TAKEN_BACK: Mapping[str, str] = {
    f"otel_carbon.{name}": f"otel_carbon.{name}.reversed" for name in ("co2e", "energy", "calls")
}
"""What the ledger takes back of a metric. There is no such series as long as it took nothing back."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of metrics, each under a name, divided by something."""

    metrics: Mapping[str, str]
    divisor: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The sum of one metric over that of another, times a factor, under a name."""

    name: str
    over: str
    under: str
    factor: float


@dataclass(frozen=True, slots=True)
class SpanSum:
    """The sum of an attribute of the spans that have an estimate, under a name."""

    name: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One question, its answer's form, and its place in a row of twelve columns."""

    id: str
    title: str
    unit: str
    about: str
    shape: Literal["value", "series", "table"]
    source: Sums | Ratio | SpanSum
    group: str | None
    width: int
    height: int = 3

    def heading(self, *, is_net: bool) -> str:
        """Return the title with its unit, and with what is wanting where nothing that was taken back is subtracted."""
        sums = self.source.metrics.values() if isinstance(self.source, Sums) else ()
        are_gross = any(metric in TAKEN_BACK for metric in sums) and not (is_net and len(sums) == 1)
        are_bounds = any(metric.endswith((".low", ".high")) for metric in sums)
        return f"{self.title}{', before reversals' if are_gross or are_bounds else ''} ({self.unit})"


_CO2E, _ENERGY = "otel_carbon.co2e", "otel_carbon.energy"
_MODEL, _PROVIDER, _REGION = "gen_ai.response.model", "gen_ai.provider.name", "otel_carbon.region.name"
_JOULES_PER_WH, _JOULES_PER_KWH = 3600.0, 3_600_000.0
_WATT_HOURS = Sums({"Wh": _ENERGY}, _JOULES_PER_WH)
_GRAMS = Sums({"gCO2e": _CO2E})
_BOUNDS = "The ledger takes nothing of bounds back."

PANELS: Sequence[Panel] = (
    Panel("emissions", "Emissions", "gCO2e", "", "value", _GRAMS, None, 3),
    Panel("low", "Emissions, low", "gCO2e", _BOUNDS, "value", Sums({"gCO2e": f"{_CO2E}.low"}), None, 3),
    Panel("high", "Emissions, high", "gCO2e", _BOUNDS, "value", Sums({"gCO2e": f"{_CO2E}.high"}), None, 3),
    Panel("energy", "Energy", "Wh", "At the data-centre meter.", "value", _WATT_HOURS, None, 3),
    Panel("by-model", "Emissions by model", "gCO2e", "", "series", _GRAMS, _MODEL, 6),
    Panel(
        "band",
        "Emissions with bounds",
        "gCO2e",
        _BOUNDS,
        "series",
        Sums({"low": f"{_CO2E}.low", "central": _CO2E, "high": f"{_CO2E}.high"}),
        None,
        6,
    ),
    Panel("models", "Models", "gCO2e", "", "table", _GRAMS, _MODEL, 4, 4),
    Panel("providers", "Providers", "gCO2e", "", "table", _GRAMS, _PROVIDER, 4, 4),
    Panel("regions", "Regions", "gCO2e", "Where calls are assumed to have run.", "table", _GRAMS, _REGION, 4, 4),
    Panel("energy-by-model", "Energy by model", "Wh", "", "series", _WATT_HOURS, _MODEL, 6),
    Panel("calls", "Calls by model", "calls", "", "series", Sums({"calls": "otel_carbon.calls"}), _MODEL, 6),
    Panel(
        "intensity",
        "Grid intensity that was applied, by zone",
        "gCO2e/kWh",
        "",
        "series",
        Ratio("g_per_kWh", "otel_carbon.grid.co2e", "otel_carbon.grid.energy", _JOULES_PER_KWH),
        "otel_carbon.grid.zone",
        6,
    ),
    Panel(
        "coverage",
        "Coverage",
        "spans",
        "Spans of calls by outcome. Only what is estimated is in the sums.",
        "series",
        Sums({"spans": "otel_carbon.enriched.spans"}),
        "otel_carbon.status",
        6,
    ),
    Panel(
        "cache",
        "Avoided by prompt caches",
        "gCO2e",
        "",
        "value",
        Sums({"gCO2e": "otel_carbon.cache.avoided.co2e"}),
        None,
        3,
    ),
    Panel(
        "reversed",
        "Taken back by the ledger",
        "gCO2e",
        "Calls that came in two spans, in two requests. Empty if there were none.",
        "value",
        Sums({"gCO2e": TAKEN_BACK[_CO2E]}),
        None,
        3,
    ),
    Panel(
        "confidence",
        "What the emissions rest on",
        "gCO2e",
        "From spans: how well the energy factor is known.",
        "table",
        SpanSum("gCO2e", "otel_carbon.co2e_grams"),
        "otel_carbon.confidence",
        3,
    ),
    Panel(
        "traces",
        "Traces that emit most",
        "gCO2e",
        "From spans. Open the trace by its id.",
        "table",
        SpanSum("gCO2e", "otel_carbon.co2e_grams"),
        TRACE,
        3,
    ),
)
"""From the top, each in the first place that is free in its row."""


def placed(panels: Sequence[Panel] = PANELS, *, y: int = 0) -> Iterator[tuple[Panel, int, int]]:
    """Yield panels with their column and row, both from zero, under what is `y` rows high."""
    x = row_height = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        yield panel, x, y
        x, row_height = x + panel.width, max(row_height, panel.height)
