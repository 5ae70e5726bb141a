"""What the totals of a report rest on: rows of factor sets, grids, and the publications behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from otel_carbon.factors import FactorTables
from otel_carbon.factors.sources import grid_source_ids, source_named
from otel_carbon.model import Source
from otel_carbon.reports.report import Foundation
from otel_carbon.reports.sums import Rows, interval_of, is_estimated, sum_of, whole

__all__ = ["foundations_of", "sources_of", "unknown_sets"]


def foundations_of(rows: Rows, tables: FactorTables) -> tuple[Foundation, ...]:
    """Return every factor row that was used, at each grid publication, by factor set and largest emissions first."""
    grouped: defaultdict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if is_estimated(row):
            grouped[row["by_factor_set"], row["by_factor"], row["by_grid_source"]].append(row)
    found = [_foundation(key, members, tables) for key, members in grouped.items()]
    return tuple(sorted(found, key=_order))


def sources_of(foundations: Iterable[Foundation], tables: FactorTables) -> tuple[Source, ...]:
    """Return the publications of these foundations, each once."""
    ids = dict.fromkeys(source_id for each in foundations for source_id in each.source_ids)
    found = (source_named(tables.sources, source_id) for source_id in ids)
    return tuple(source for source in found if source is not None)


def unknown_sets(foundations: Iterable[Foundation], tables: FactorTables) -> tuple[str, ...]:
    """Return the factor sets that lines rest on and that are not here, so that their sources cannot be named."""
    return tuple(sorted({each.factor_set for each in foundations} - set(tables.set_ids)))


def _foundation(key: tuple[str, str, str], rows: Rows, tables: FactorTables) -> Foundation:
    factor_set, factor, grid_source = key
    ids = [*_source_ids(factor_set, factor, tables), *grid_source_ids(grid_source)]
    return Foundation(
        factor_set=factor_set,
        factor=factor,
        grid_source=grid_source or None,
        calls=whole(sum_of(row["calls"] for row in rows) or 0.0),
        co2e_grams=interval_of(rows, "co2e_grams"),
        energy_wh=interval_of(rows, "energy_wh"),
        source_ids=tuple(dict.fromkeys(source_id for source_id in ids if source_id)),
    )


def _source_ids(set_id: str, factor: str, tables: FactorTables) -> list[str | None]:
    if set_id not in tables.set_ids:
        return []
    used = tables.factor_set(set_id)
    rows = [row for row in (*used.models, *used.classes.values()) if row.name == factor]
    return [*(row.source_id for row in rows[:1]), used.source_id]


def _order(foundation: Foundation) -> tuple[str, float, str, str]:
    co2e = foundation.co2e_grams
    grams = 0.0 if co2e is None else -co2e.central
    return (foundation.factor_set, grams, foundation.factor, foundation.grid_source or "")
