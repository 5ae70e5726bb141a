"""Where an inventory has the calls of a period: scopes and categories, and market-based emissions beside them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from otel_carbon.estimator.accounting import CATEGORY_NAMES, DEFAULT_REASON, SCOPE_2_NAME
from otel_carbon.reports.report import InventoryEntry, MarketBased
from otel_carbon.reports.sums import Rows, interval_of, is_estimated, rounded, sum_of, whole

__all__ = ["inventory_of", "market_based_of", "places_of"]

_EMBODIED_CATEGORY = 2
_PARTS = ("co2e_operational_grams_central", "co2e_embodied_grams_central")


def inventory_of(rows: Rows) -> tuple[InventoryEntry, ...]:
    """Return the emissions by place, the largest first.

    Of calls in scope 2 the embodied part is capital goods (category 2 of scope 3). Where a factor set does not give it
    apart, all of it stays in scope 2.
    """
    grouped: defaultdict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["by_scope"], row["by_category"], row["by_accounting_reason"]].append(row)
    entries = [entry for key, members in grouped.items() for entry in _entries(key, members)]
    return tuple(sorted(entries, key=_order))


def places_of(rows: Rows) -> tuple[str, ...]:
    """Return the places of calls in short: `2`, `3.1`, `3.11`."""
    return tuple(sorted({f"{row['by_scope']}.{row['by_category']}".strip(".") for row in rows}))


def market_based_of(rows: Rows) -> MarketBased | None:
    """Return what suppliers' own figures cover; None where there is none."""
    covered = [row for row in rows if row["by_market_source"]]
    if not covered:
        return None
    calls = sum_of(row["calls"] for row in covered) or 0.0
    estimated = sum_of(row["calls"] for row in rows if is_estimated(row)) or 0.0
    return MarketBased(
        co2e_market_based_grams=interval_of(covered, "co2e_market_based_grams"),
        location_based_grams=interval_of(covered, "co2e_operational_grams"),
        calls=whole(calls),
        share_of_calls=rounded(calls / estimated) if estimated > 0.0 else 0.0,
        sources=tuple(sorted({row["by_market_source"] for row in covered})),
    )


def _entries(key: tuple[str, str, str], rows: Rows) -> list[InventoryEntry]:
    scope, category, reason = key
    number = int(category) if category else None
    why = reason or DEFAULT_REASON
    if number is not None:
        co2e = interval_of(rows, "co2e_grams")
        calls = _calls(rows)
        return [InventoryEntry(int(scope), number, CATEGORY_NAMES[number], "total", why, calls, co2e)]
    rest = [row for row in rows if is_estimated(row) and None in [row[name] for name in _PARTS]]
    apart = [row for row in rows if row not in rest]
    found: list[InventoryEntry] = []
    if not rest or any(is_estimated(row) for row in apart):
        operational, embodied = (interval_of(apart, f"co2e_{part}_grams") for part in ("operational", "embodied"))
        capital = CATEGORY_NAMES[_EMBODIED_CATEGORY]
        found.append(InventoryEntry(2, None, SCOPE_2_NAME, "operational", why, _calls(apart), operational))
        found.append(InventoryEntry(3, _EMBODIED_CATEGORY, capital, "embodied", why, _calls(apart), embodied))
    if rest:
        co2e = interval_of(rest, "co2e_grams")
        found.append(InventoryEntry(2, None, SCOPE_2_NAME, "total", why, _calls(rest), co2e))
    return found


def _calls(rows: Rows) -> int | float:
    return whole(sum_of(row["calls"] for row in rows) or 0.0)


def _order(entry: InventoryEntry) -> tuple[float, int, int]:
    co2e = entry.co2e_grams
    return (-co2e.central if co2e is not None else math.inf, entry.scope, entry.category or 0)
