"""From a line of the ledger, or from the attributes of a span, back to the publications behind its figures."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator
from otel_carbon.estimator.calls import names_of
from otel_carbon.estimator.derivation import Derivation
from otel_carbon.estimator.document import interval_document
from otel_carbon.estimator.explain import working_document
from otel_carbon.estimator.recompute import remembered
from otel_carbon.estimator.working import (
    Step,
    amount_steps,
    item_steps,
    lca_steps,
    place_steps,
    result_steps,
    token_steps,
)
from otel_carbon.factors import Basis
from otel_carbon.factors.documents import row_document
from otel_carbon.factors.sources import grid_source_ids, source_named
from otel_carbon.model import Call, FactorRef, Footprint, Grid, Interval, Mark, Region, Source, Status, Usage
from otel_carbon.reports.second_set import items_of_line, usage_of_line
from otel_carbon.spans import SpanReader, read_mark
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["Provenance", "provenance_document", "provenance_of_attributes", "provenance_of_line"]

_LINE_AGREES, _MARK_AGREES = 1e-9, 1e-5  # relative; an attribute has six significant digits


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a recorded figure rests on, and whether the arithmetic gives it again."""

    of: str
    mark: Mark
    """The recorded factor, place and figures of one call."""
    row: Mapping[str, Any]
    steps: tuple[Step, ...]
    """The arithmetic; empty where there are no token counts to redo it with."""
    sources: tuple[Source, ...]
    redone: Footprint | None
    agrees: bool | None
    """Whether it gives the recorded figures, bounds included; None where it cannot be redone."""


def provenance_of_line(connection: sqlite3.Connection, estimator: Estimator, *, where: tuple[str, ...]) -> Provenance:
    """Return the provenance of a line, by sequence number `(seq,)` or by `(trace_id, span_id)`.

    Raises:
        ConfigError: there is no such line, or it has no estimate.
    """
    condition = "seq = ?" if len(where) == 1 else "trace_id = ? AND span_id = ? AND reverses_seq IS NULL"
    cursor = connection.execute(f"SELECT * FROM lines WHERE {condition} ORDER BY seq LIMIT 1", where)  # noqa: S608
    found = cursor.fetchone()
    named = f"line {where[0]}" if len(where) == 1 else f"span {'/'.join(where)}"
    if found is None:
        raise ConfigError(f"{named}: the ledger has no such line")
    line = dict(zip((column[0] for column in cursor.description), found, strict=True))
    if line["factor_set"] is None:
        raise ConfigError(f"{named}: it has no estimate ({line['status']})")
    call = Call(
        operation=line["operation"] or "chat",
        provider=line["provider"],
        model=line["model"],
        request_model=line["request_model"],
        usage=usage_of_line(line),
        items=items_of_line(line),
    )
    mark = Mark(
        Status.ESTIMATED,
        energy_wh=_recorded(line, "energy_wh"),
        co2e_grams=_recorded(line, "co2e_grams"),
        factor=FactorRef(line["factor_set"], line["factor_id"], line["factor_match"]),
        confidence=line["confidence"],
        region=Region(line["region"], line["region_source"]),
        grid=_grid_of(line),
    )
    return _provenance(f"line {line['seq']}", estimator, call, mark, _LINE_AGREES)


def provenance_of_attributes(attributes: Mapping[str, Any], estimator: Estimator) -> Provenance:
    """Return the provenance of the `otel_carbon.*` attributes of a span; with its token counts, redone.

    Raises:
        ConfigError: they name no factor, or one that is not here.
    """
    mark = read_mark(attributes)
    if mark is None or mark.factor is None:
        raise ConfigError("the attributes name no factor: otel_carbon.factor.set and otel_carbon.factor.id are needed")
    call = SpanReader.bundled().read(attributes)
    return _provenance("span", estimator, call if isinstance(call, Call) else Call(), mark, _MARK_AGREES)


def provenance_document(found: Provenance) -> dict[str, Any]:
    """Return a provenance as plain data, for JSON."""
    mark, redone = found.mark, found.redone
    return {
        "of": found.of,
        "factor": None if mark.factor is None else asdict(mark.factor),
        "row": dict(found.row),
        "region": None if mark.region is None else asdict(mark.region),
        "grid": None if mark.grid is None else asdict(mark.grid),
        "recorded": _figures(mark.energy_wh, mark.co2e_grams),
        "redone": None if redone is None else _figures(redone.energy_wh, redone.co2e_grams),
        "agrees": found.agrees,
        "working": working_document(found.steps),
        "sources": [asdict(source) for source in found.sources],
    }


def _provenance(of: str, estimator: Estimator, call: Call, mark: Mark, tolerance: float) -> Provenance:
    assert mark.factor is not None
    tables = estimator.tables
    found = _remembered(estimator, call, mark, mark.factor)
    if found is None:
        raise ConfigError(f"{of}: row {mark.factor.id!r} of {mark.factor.set!r} is not among the factor sets here")
    redone = estimator.recompute(call, mark)
    place = tuple(place_steps(found, tables.constants, given_pue=estimator.settings.pue_ratio is not None))
    steps: tuple[Step, ...] = ()
    agrees: bool | None = None
    if isinstance(redone, Footprint) and (call.usage is not None or call.items is not None):
        steps = (
            *_figure_steps(estimator, call, found),
            *place,
            *result_steps(redone, found),
        )
        pairs = ((mark.energy_wh, redone.energy_wh), (mark.co2e_grams, redone.co2e_grams))
        agrees = all(_same(recorded, again, tolerance) for recorded, again in pairs)
    grid_sources = grid_source_ids(None if mark.grid is None else mark.grid.source)
    ids = (
        found.row.source_id,
        found.factor_set.source_id,
        *grid_sources,
        *(step.source_id for step in (*steps, *place)),
    )
    return Provenance(
        of=of,
        mark=mark,
        row=row_document(found.row),
        steps=steps,
        sources=tuple(
            source
            for key in dict.fromkeys(ids)
            if key is not None and (source := source_named(tables.sources, key)) is not None
        ),
        redone=redone if isinstance(redone, Footprint) else None,
        agrees=agrees,
    )


def _remembered(estimator: Estimator, call: Call, mark: Mark, factor: FactorRef) -> Derivation | None:
    """Return the look-ups of a mark: by the row of an item, else by that of tokens, which may stand beside them."""
    calls = (call, replace(call, items=None))
    found = (
        remembered(
            estimator.tables, estimator.settings, names_of(each), factor=factor, region=mark.region, grid=mark.grid
        )
        for each in calls
    )
    return next((each for each in found if each is not None), None)


def _figure_steps(estimator: Estimator, call: Call, found: Derivation) -> Iterator[Step]:
    constants, usage = estimator.tables.constants, call.usage or Usage()
    lca, model = found.factor_set.lca, found.row.lca
    if call.items is not None and found.row.item is not None:
        yield from item_steps(call.items, found, constants)
    elif found.factor_set.basis is Basis.PER_TOKEN:
        yield from token_steps(usage, found, constants)
    elif lca is not None and model is not None:
        yield from lca_steps(call, found, lca, model)
    else:
        yield from amount_steps(usage, found, constants)


def _grid_of(line: Mapping[str, Any]) -> Grid:
    start = line["grid_period_start"]
    return Grid(
        line["grid_zone"],
        line["grid_intensity_g_per_kwh"],
        line["grid_source"],
        None if start is None else round(datetime.fromisoformat(start).timestamp()) * NANOSECONDS_PER_SECOND,
        line["grid_quality"],
    )


def _recorded(line: Mapping[str, Any], name: str) -> Interval | None:
    """Return a quantity of one call: a line under head sampling has that of all calls that it stands for."""
    low, central, high = (line[f"{name}_{bound}"] for bound in ("low", "central", "high"))
    if central is None:
        return None
    count: float = line["calls"]  # negative on a reversal, as its quantities
    return Interval(low / count, central / count, high / count)


def _same(recorded: Interval | None, again: Interval | None, tolerance: float) -> bool:
    if recorded is None or again is None:
        return recorded is again
    pairs = ((recorded.low, again.low), (recorded.central, again.central), (recorded.high, again.high))
    return all(math.isclose(first, second, rel_tol=tolerance) for first, second in pairs)


def _figures(energy_wh: Interval | None, co2e_grams: Interval | None) -> dict[str, Any]:
    return {"energy_wh": interval_document(energy_wh), "co2e_grams": interval_document(co2e_grams)}
