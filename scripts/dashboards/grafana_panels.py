"""Builds Grafana dashboards from tables of panels. Used by scripts/generate-dashboards."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, tempo, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType

__all__ = ["Page", "Panel", "Row", "json_of"]

_PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
_TEMPO = DataSourceRef(type_val="tempo", uid="${tempo}")
_NOTE = "Estimates: docs/methodology.md of otel-carbon says how they are made and what they leave out."
_KINDS = {"stat": stat.Panel, "series": timeseries.Panel, "bars": bargauge.Panel, "table": table.Panel}
_HEIGHTS = {"stat": 4, "series": 8, "bars": 8, "table": 9}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its queries as (expression, legend). `instant` kinds ask for the end of the time range only."""

    title: str
    kind: str
    """stat, series, bars, table."""
    unit: str
    """Id of a Grafana unit."""
    queries: Sequence[tuple[str, str]]
    meaning: str
    width: int = 12
    """Of 24 columns."""
    is_band: bool = False
    """Queries are low, central and high; the area between the outer ones is filled."""
    has_exemplars: bool = False
    asks_tempo: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A headline over the panels that follow."""

    title: str


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard. `filters` are labels that a user can narrow everything to."""

    uid: str
    title: str
    meaning: str
    filters: Sequence[tuple[str, str]]
    """Label, and the metric that has it."""
    content: Sequence[Panel | Row]

    @property
    def asks_tempo(self) -> bool:
        """Return whether a panel shows traces."""
        return any(isinstance(one, Panel) and one.asks_tempo for one in self.content)


def json_of(page: Page) -> str:
    """Return the dashboard as Grafana imports it."""
    made = (
        builders.Dashboard(page.title)
        .uid(page.uid)
        .description(f"{page.meaning} {_NOTE}")
        .tags(["otel-carbon", "genai"])
        .refresh("1m")
        .time("now-24h", "now")
        .timezone("browser")
        .link(builders.DashboardLink("otel-carbon").type(DashboardLinkType.DASHBOARDS).tags(["otel-carbon"]))
    )
    for variable in _variables(page):
        made = made.with_variable(variable)
    for one in page.content:
        made = made.with_row(builders.Row(one.title)) if isinstance(one, Row) else made.with_panel(_panel(one))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _variables(page: Page) -> Iterator[Any]:
    yield builders.DatasourceVariable("prometheus").label("Prometheus").type("prometheus")
    if page.asks_tempo:
        yield builders.DatasourceVariable("tempo").label("Tempo").type("tempo")
    for label, metric in page.filters:
        yield (
            builders.QueryVariable(label)
            .label(label.removeprefix("otel_carbon_").removeprefix("gen_ai_").replace("_", " "))
            .datasource(_PROMETHEUS)
            .query(f"label_values({metric}, {label})")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")  # also what has no such label
            .current(VariableOption(text="All", value="$__all", selected=True))
        )


def _panel(panel: Panel) -> Any:
    made = _KINDS[panel.kind]().title(panel.title).description(panel.meaning).unit(panel.unit)
    made = made.span(panel.width).height(_HEIGHTS[panel.kind]).datasource(_TEMPO if panel.asks_tempo else _PROMETHEUS)
    for target in _targets(panel):
        made = made.with_target(target)
    if panel.kind == "series":
        made = made.fill_opacity(10).legend(common.VizLegendOptions().show_legend(True)).min(0)
    if panel.kind in {"stat", "bars"}:
        made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if panel.kind == "stat":
        made = made.text_mode(BigValueTextMode.VALUE_AND_NAME)
    if panel.kind == "table" and not panel.asks_tempo:
        made = made.with_transformation(DataTransformerConfig(id_val="merge", options={}))
        for letter, (_, legend) in zip(string.ascii_uppercase, panel.queries, strict=False):
            made = made.override_by_name(f"Value #{letter}", [DynamicConfigValue("displayName", legend)])
    if panel.is_band:
        made = made.override_by_name("low", _outline()).override_by_name("high", [*_outline(), _below("low")])
    return made


def _targets(panel: Panel) -> Iterable[Any]:
    for letter, (expression, legend) in zip(string.ascii_uppercase, panel.queries, strict=False):
        if panel.asks_tempo:
            traces = tempo.Dataquery().ref_id(letter).datasource(_TEMPO).query_type("traceql").query(expression)
            yield traces.table_type(SearchTableType.SPANS) if panel.kind == "table" else traces
            continue
        query = prometheus.Dataquery().ref_id(letter).datasource(_PROMETHEUS).expr(expression).legend_format(legend)
        query = query.range() if panel.kind == "series" else query.instant()
        query = query.format(PromQueryFormat.TABLE) if panel.kind == "table" else query
        yield query.exemplar(True) if panel.has_exemplars else query


def _outline() -> list[DynamicConfigValue]:
    return [
        DynamicConfigValue("custom.lineWidth", 0),
        DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "gray"}),
    ]


def _below(name: str) -> DynamicConfigValue:
    return DynamicConfigValue("custom.fillBelowTo", name)
