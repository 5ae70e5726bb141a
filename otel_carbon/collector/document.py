"""The config as a file: the statements in YAML, with the pipelines around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from otel_carbon.collector.amounts import amount_statements, status_statements
from otel_carbon.collector.counting import counting_statements
from otel_carbon.collector.handover import IS_HANDED_OVER, forget_foreign
from otel_carbon.collector.header import header
from otel_carbon.collector.hours import Hours, hour_statements
from otel_carbon.collector.locating import locating_statements, placing_statement
from otel_carbon.collector.matching import check_expressible
from otel_carbon.collector.models import Models
from otel_carbon.collector.ottl import Group
from otel_carbon.collector.places import Places, grids_of
from otel_carbon.collector.reading import group_condition, reading_statements
from otel_carbon.collector.rows import Rows
from otel_carbon.collector.serving import serving_statements
from otel_carbon.errors import ConfigError
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.factors.suggest import did_you_mean
from otel_carbon.spans import DialectTable

__all__ = ["collector_config", "statement_groups"]

_BODY = """\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "${{env:COLLECTOR_GRPC:-127.0.0.1:4327}}"}}
      http: {{endpoint: "${{env:COLLECTOR_HTTP:-127.0.0.1:4328}}"}}
processors:
  batch: {{}}
  transform/otel_carbon:
    error_mode: ignore
    trace_statements:
{groups}
connectors:
  # Delta sums. A span that came with a mark is in them too: leave them out where applications have the metrics already.
  signal_to_metrics/otel_carbon:
    error_mode: ignore
    spans:
{metrics}
exporters:
  otlp_grpc/backend:
    endpoint: ${{env:BACKEND_GRPC:-127.0.0.1:4317}}
    tls: {{insecure: true}}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [transform/otel_carbon, batch]
      exporters: [otlp_grpc/backend, signal_to_metrics/otel_carbon]
    metrics:
      receivers: [signal_to_metrics/otel_carbon]
      processors: [batch]
      exporters: [otlp_grpc/backend]
"""

_METRICS = (
    (
        "otel_carbon.co2e",
        "g",
        "Greenhouse-gas emissions of GenAI calls, operational plus embodied, central value.",
        "co2e_grams",
        1.0,
    ),
    ("otel_carbon.co2e.low", "g", "Lower bound of otel_carbon.co2e.", "co2e_grams_low", 1.0),
    ("otel_carbon.co2e.high", "g", "Upper bound of otel_carbon.co2e.", "co2e_grams_high", 1.0),
    (
        "otel_carbon.energy",
        "J",
        "Electrical energy of GenAI calls at the data-centre meter, central value.",
        "energy_wh",
        3600.0,
    ),
    ("otel_carbon.energy.low", "J", "Lower bound of otel_carbon.energy.", "energy_wh_low", 3600.0),
    ("otel_carbon.energy.high", "J", "Upper bound of otel_carbon.energy.", "energy_wh_high", 3600.0),
)
_STATUSES_OF_CALLS = ("estimated", "no_usage", "unknown_model")
_DIMENSIONS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.response.model", "otel_carbon.region.name")


def collector_config(
    tables: FactorTables,
    *,
    factor_set: str,
    grid: GridFamily,
    models: Sequence[str] | None = None,
    regions: Collection[str] | None = None,
    hours: Hours | None = None,
) -> str:
    """Return the config of a Collector, as YAML. None: all models, all regions, and the average of a year.

    Raises:
        ConfigError: the factor set cannot be written in OTTL, or a region or a model is not known.
    """
    groups = statement_groups(tables, factor_set=factor_set, grid=grid, models=models, regions=regions, hours=hours)
    head = header(
        factor_set=factor_set,
        grid=grid,
        models=models,
        regions=regions,
        hours=hours,
        grids=len(grids_of(tables, regions)),
    )
    written = "\n".join(line for group in groups for line in _group(group))
    return head + _BODY.format(groups=written, metrics="\n".join(_metrics()))


def statement_groups(
    tables: FactorTables,
    *,
    factor_set: str,
    grid: GridFamily,
    models: Sequence[str] | None = None,
    regions: Collection[str] | None = None,
    hours: Hours | None = None,
) -> tuple[Group, ...]:
    """Return the OTTL statements, in groups.

    Raises:
        ConfigError: as `collector_config`.
    """
    chosen = tables.factor_set(factor_set)
    check_expressible(chosen)
    _check_regions(tables, regions)
    dialects = DialectTable.bundled()
    rows = Rows(tables, chosen)
    known = Models(tables, rows, models)
    taken_apart = known.group(dialects)
    calls = (
        *reading_statements(dialects),
        *serving_statements(dialects),
        *counting_statements(dialects),
        *known.statements(),
        *locating_statements(tables, regions),
        *status_statements(),
    )
    place = placing_statement(Places(tables, chosen.boundary, grid, hours), regions)
    places = (place, *(() if hours is None else hour_statements()))
    return (
        forget_foreign(),
        taken_apart,
        Group(group_condition(dialects), calls),
        Group(IS_HANDED_OVER, tuple(amount_statements(rows, places))),
    )


def _check_regions(tables: FactorTables, regions: Collection[str] | None) -> None:
    known = {name for cloud in tables.regions.values() for name in cloud}
    for region in regions or ():
        if region not in known:
            raise ConfigError(f"--regions: unknown cloud region {region!r}; {did_you_mean(region, known)}")


def _metrics() -> Iterator[str]:
    for name, unit, description, attribute, factor in _METRICS:
        path = f'span.attributes["otel_carbon.{attribute}"]'
        scaled = path if factor == 1.0 else f"{path} * {factor!r}"
        yield from _metric(name, unit, description, f"{path} != nil", f"{scaled} * AdjustedCount()", _DIMENSIONS)
    yield from _grid_metrics()
    called = " or ".join(f'span.attributes["otel_carbon.status"] == "{status}"' for status in _STATUSES_OF_CALLS)
    description = "Completed GenAI calls, with and without an estimate."
    yield from _metric("otel_carbon.calls", "{call}", description, called, "AdjustedCount()", _DIMENSIONS)
    status = 'span.attributes["otel_carbon.status"] != nil'
    description = "Spans of GenAI calls that were marked, by outcome."
    dimensions = ("otel_carbon.status", "gen_ai.provider.name")
    yield from _metric("otel_carbon.enriched.spans", "{span}", description, status, "AdjustedCount()", dimensions)


def _grid_metrics() -> Iterator[str]:
    energy, co2e, embodied, zone = (
        f'span.attributes["otel_carbon.{key}"]'
        for key in ("energy_wh", "co2e_grams", "co2e_embodied_grams", "grid.zone")
    )
    known = f"{zone} != nil and {energy} != nil and {co2e} != nil and {embodied} != nil"
    dimensions = ("otel_carbon.grid.zone", "otel_carbon.grid.quality")
    for name, unit, description, value in (
        ("otel_carbon.grid.energy", "J", "Energy of GenAI calls by grid, central value.", f"{energy} * 3600.0"),
        ("otel_carbon.grid.co2e", "g", "Operational emissions of GenAI calls by grid.", f"({co2e} - {embodied})"),
    ):
        yield from _metric(name, unit, description, known, f"{value} * AdjustedCount()", dimensions)


def _metric(  # noqa: PLR0917 - one line of the file per argument
    name: str, unit: str, description: str, condition: str, value: str, dimensions: Sequence[str]
) -> Iterator[str]:
    yield f"      - name: {name}"
    yield f"        description: {_yaml(description)}"
    yield f"        unit: {_yaml(unit)}"
    yield f"        conditions: [{_yaml(condition)}]"
    yield f"        attributes: [{', '.join(f'{{key: {key}, optional: true}}' for key in dimensions)}]"
    yield f"        sum: {{monotonic: true, value: {_yaml(value)}}}"


def _group(group: Group) -> Iterator[str]:
    yield "      - context: span"
    yield f"        conditions: [{_yaml(group.condition)}]"
    yield "        statements:"
    for statement in group.statements:
        if "\n" in statement:
            yield "          - >-"
            yield from (f"            {line}" for line in _expanded(statement).splitlines())
        else:
            yield f"          - {_yaml(statement)}"


def _yaml(value: str) -> str:
    """Return a YAML string in single quotes."""
    return "'" + _expanded(value).replace("'", "''") + "'"


def _expanded(value: str) -> str:
    """Return a text that the Collector leaves as it is: it expands `$`, so that one of ours is written twice."""
    return value.replace("$", "$$")
