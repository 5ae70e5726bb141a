"""Factor tables as plain text in aligned columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from otel_carbon.cli.columns import aligned, significant
from otel_carbon.factors.rows import FactorRow, FactorSet, TokenRates
from otel_carbon.model import Interval, Source

__all__ = ["diff_text", "explain_text", "list_text", "show_text"]

_RATES = tuple(field.name for field in fields(TokenRates))
_LABELS = ("input", "cache read", "cache write", "output", "reasoning")
_TOTALS = (
    *("total_kwh_per_1m", "total_g_per_1k", "request_wh", "request_g", "request_ml", "request_mg_sb_eq", "scale"),
    *("total_b_min", "total_b_max", "active_b_min", "active_b_max", "tps", "ttft_s"),
)


def list_text(sets: Sequence[FactorSet]) -> str:
    """Return all factor sets, a row each."""
    rows = [("id", "basis", "boundary", "models", "classes", "valid from", "licence")]
    rows.extend(
        (
            factor_set.id,
            factor_set.basis.value,
            factor_set.boundary.value,
            str(len(factor_set.models)),
            str(len(factor_set.classes)),
            factor_set.valid_from.isoformat(),
            factor_set.licence,
        )
        for factor_set in sets
    )
    return aligned(rows, right=(3, 4))


def show_text(factor_set: FactorSet, sources: Mapping[str, Source]) -> str:
    """Return one factor set with its rows and the publications that they rest on."""
    rows = (*factor_set.models, *factor_set.classes.values())
    items = _items_text(factor_set.items) if factor_set.items else ()
    head = [
        ("id", factor_set.id),
        ("title", factor_set.title),
        ("basis", f"{factor_set.basis.value}, energy boundary {factor_set.boundary.value}"),
        ("valid from", factor_set.valid_from.isoformat()),
        ("unmatched", f"falls back to {factor_set.fallback_id}" if factor_set.fallback_id else "own classes"),
        ("licence", factor_set.licence),
        *([("warning", factor_set.warning)] if factor_set.warning else []),
    ]
    used = dict.fromkeys([factor_set.source_id, *(row.source_id for row in (*rows, *factor_set.items))])
    cited = [(source_id, f"{sources[source_id].citation}, {sources[source_id].url}") for source_id in used]
    return "\n".join([aligned(head), "", _rows_text(rows), *items, "", "sources", "", aligned(cited)])


def diff_text(first: FactorSet, second: FactorSet) -> str:
    """Return the rows that only one of two factor sets has, and those whose figures differ."""
    before = {row.name: row for row in (*first.models, *first.classes.values(), *first.items)}
    after = {row.name: row for row in (*second.models, *second.classes.values(), *second.items)}
    rows: list[tuple[str, ...]] = [("row", "figure", first.id, second.id)]
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            rows.append((name, "row", *(("has it", "-") if name in before else ("-", "has it"))))
        else:
            rows.extend((name, *change) for change in _changes(before[name], after[name]))
    rows.extend(_set_changes(first, second))
    return aligned(rows) if len(rows) > 1 else f"{first.id} and {second.id}: no row differs"


def explain_text(document: Mapping[str, Any]) -> str:
    """Return how a model name is read, and the row of every set."""
    names = ("name", "host_provider", "vendor", "profile", "region", "fine_tuned", "family", "class", "class_match")
    head = [("raw", document["raw"]), *((name.replace("_", " "), _shown(document[name])) for name in names)]
    rows: list[tuple[str, ...]] = [
        ("set", "answers", "row", "match", "confidence", "boundary", "Wh per 1M input", "Wh per 1M output")
    ]
    for found in document["sets"]:
        rates = found["rates"] or {}
        rows.append(
            (
                found["asked"],
                *(_shown(found[key]) for key in ("set", "id", "match", "confidence", "energy_boundary")),
                *(_bounds(rates.get(key)) for key in ("uncached_input_wh_per_1m", "visible_output_wh_per_1m")),
            )
        )
    return "\n".join([aligned(head), "", aligned(rows)])


def _rows_text(rows: Sequence[FactorRow]) -> str:
    if all(row.rates is None for row in rows):
        totals = [key for key in _TOTALS if any(key in row.published for row in rows)]
        table: list[tuple[str, ...]] = [("row", *totals, "confidence", "source", "matches")]
        table.extend((row.name, *(_shown(row.published.get(key)) for key in totals), *_about(row)) for row in rows)
        return aligned(table)
    rated: list[tuple[str, ...]] = [("Wh per 1M tokens", *_LABELS, "confidence", "source", "matches")]
    rated.extend((row.name, *(_interval(getattr(row.rates, key)) for key in _RATES), *_about(row)) for row in rows)
    return aligned(rated)


def _items_text(rows: Sequence[FactorRow]) -> tuple[str, str]:
    table: list[tuple[str, ...]] = [("Wh per item", "Wh", "item", "boundary", "confidence", "source", "matches")]
    for row in rows:
        if (rate := row.item) is not None:
            about = (rate.unit, rate.boundary.value, *_about(row))
            table.append((row.name, _interval(rate.wh_per_item), *about))
    return "", aligned(table)


def _about(row: FactorRow) -> tuple[str, str, str]:
    return row.confidence.value, row.source_id, " ".join(row.match) or str(row.published.get("rule", ""))


def _changes(before: FactorRow, after: FactorRow) -> Iterator[tuple[str, str, str]]:
    if before.confidence is not after.confidence:
        yield "confidence", before.confidence.value, after.confidence.value
    if before.match != after.match:
        yield "match", " ".join(before.match), " ".join(after.match)
    for key in _TOTALS:
        old, new = before.published.get(key), after.published.get(key)
        if old != new:
            yield key, _shown(old), _shown(new)
    old_item, new_item = before.item, after.item
    if old_item is not None and new_item is not None and old_item.wh_per_item != new_item.wh_per_item:
        yield "Wh per item", _interval(old_item.wh_per_item), _interval(new_item.wh_per_item)
    if before.rates is None or after.rates is None:
        return
    for key in _RATES:
        old_rate, new_rate = getattr(before.rates, key), getattr(after.rates, key)
        if old_rate != new_rate:
            yield key, _interval(old_rate), _interval(new_rate)


def _set_changes(first: FactorSet, second: FactorSet) -> Iterator[tuple[str, ...]]:
    """Yield what differs of the sets themselves and of the regions that they bring along."""
    heads = [
        {
            "basis": each.basis.value,
            "energy boundary": each.boundary.value,
            "unmatched": each.fallback_id or "own classes",
            "bounds at least x and /": f"{each.min_bounds_factor:g}",
        }
        | dict(each.parts)
        for each in (first, second)
    ]
    yield from (("(set)", key, old, heads[1][key]) for key, old in heads[0].items() if old != heads[1][key])
    before, after = ({region.name: region for region in each.regions} for each in (first, second))
    for name in sorted(before.keys() | after.keys()):
        old, new = (f"{found[name].g_per_kwh:g}" if name in found else "-" for found in (before, after))
        if old != new:
            yield f"region {name}", "g_per_kwh", old, new


def _interval(value: Interval) -> str:
    low, central, high = (significant(bound, 3) for bound in (value.low, value.central, value.high))
    return f"{central} ({low} - {high})"


def _bounds(value: Mapping[str, float] | None) -> str:
    return "-" if value is None else _interval(Interval(value["low"], value["central"], value["high"]))


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
