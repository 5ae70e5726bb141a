"""From the sums of the ledger to a report."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.factors.equivalents import DEFAULT_EQUIVALENTS, equivalents_of
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.clock import utc_text
from otel_carbon.ledger.columns import MEDIA, QUANTITIES, TOKENS
from otel_carbon.ledger.rollup import COUNTS
from otel_carbon.model import Status
from otel_carbon.reports import query
from otel_carbon.reports.asking import question_of
from otel_carbon.reports.foundations import foundations_of, sources_of, unknown_sets
from otel_carbon.reports.intensity import FunctionalUnit, sci_of_rows, sci_per_unit
from otel_carbon.reports.inventory import inventory_of, market_based_of, places_of
from otel_carbon.reports.query import Question
from otel_carbon.reports.report import Coverage, Group, Period, Report, SciUnit, TakenBack, Totals
from otel_carbon.reports.second_set import SecondSums
from otel_carbon.reports.sums import Rows, interval_of, rounded, sum_of, whole
from otel_carbon.reports.wording import NO_INTENSITY, missing_sets, notes_of, notes_of_scope, sentence_of

__all__ = ["DEFAULT_BY", "summarise"]

DEFAULT_BY = ("provider", "model")

_TIMES = ("month", "day", "hour")


@dataclass(frozen=True, slots=True)
class _Found:
    """What the ledger answered."""

    rows: list[dict[str, Any]]
    coverage: Coverage
    taken_back: TakenBack
    seen_until: str | None
    per_unit: tuple[SciUnit, ...]


def summarise(
    ledger: Ledger,
    start: str | None = None,
    end: str | None = None,
    as_of: str | None = None,
    *,
    by: Iterable[str] = DEFAULT_BY,
    tenant: str | None = None,
    second: Estimator | None = None,
    where: Iterable[str] = (),
    units: Iterable[FunctionalUnit] = (),
    tables: FactorTables | None = None,
) -> Report:
    """Return the report over a period.

    `start`, `end` and `as_of` are dates or times (ISO 8601, UTC where they do not say). A date alone is the whole day:
    `end` and `as_of` include it; a time as `end` is exclusive. With `as_of` the report is what it was then, whatever
    was recorded since. `second` estimates the same calls by another factor set, beside the figures of the ledger.
    `where` narrows the calls down, by `dimension=value`; `units` are functional units to give the intensity per;
    `tables` are those with the operator's own factor sets, to name their sources.

    Raises:
        ConfigError: a date or a dimension is not one.
        StorageError: the ledger cannot be read.
    """
    question = question_of(start, end, as_of, tenant=tenant, by=by, where=where)
    with ledger.snapshot() as connection:
        rows = [row for row in query.sums(connection, question) if row["counted"]]
        spans = query.spans_by_status(connection, question)
        conflicts = query.conflicts(connection, question)
        taken_back = TakenBack(*query.lines_taken_back(connection, question))
        seen_until = query.as_of_default(connection)
        sums = None if second is None else SecondSums(second, question.by, query.distinct_calls(connection, question))
        per_unit = tuple(sci_per_unit(unit, _rows_of_unit(connection, question, rows, unit)) for unit in units)
    coverage = _coverage(spans, rows, conflicts, narrowed=bool(question.where))
    found = _Found(rows, coverage, taken_back, seen_until, per_unit)
    report = _report(question, found, tables or FactorTables.bundled())
    return report if sums is None else replace(report, second_set=sums.beside(report))


def _report(question: Question, found: _Found, tables: FactorTables) -> Report:
    rows = found.rows
    totals = _totals(rows)
    shares = _shares(rows)
    factor_sets = tuple(sorted({row["by_factor_set"] for row in rows} - {""}))
    grid_sources = tuple(sorted({row["by_grid_source"] for row in rows if row["by_confidence"]} - {""}))
    co2e = totals.co2e_grams
    things = {} if co2e is None else tables.equivalents[DEFAULT_EQUIVALENTS]
    sci = sci_of_rows(rows, co2e)
    foundations = foundations_of(rows, tables)
    return Report(
        period=_period(question, rows),
        as_of=question.as_of or found.seen_until or utc_text(datetime.now(UTC)),
        tenant=question.tenant,
        totals=totals,
        by=question.by,
        groups=_groups(question.by, rows),
        coverage=found.coverage,
        confidence_share=shares,
        factor_sets=factor_sets,
        grid_sources=grid_sources,
        taken_back=TakenBack(found.taken_back.lines, rounded(found.taken_back.co2e_grams)),
        equivalents={} if co2e is None else equivalents_of(co2e.central, things),
        notes=(
            *notes_of(found.coverage),
            *notes_of_scope(question.where, rows),
            *missing_sets(unknown_sets(foundations, tables)),
            *((NO_INTENSITY,) if found.per_unit and sci is None else ()),
        ),
        sentence=sentence_of(co2e, shares, factor_sets, grid_sources),
        sci=None if sci is None else replace(sci, units=found.per_unit),
        inventory=inventory_of(rows),
        places=places_of(rows),
        market_based=market_based_of(rows),
        where=question.where,
        foundations=foundations,
        sources=sources_of(foundations, tables),
        compared_with=tuple((thing, tables.sources[thing.source_id]) for thing in things.values()),
    )


def _rows_of_unit(connection: sqlite3.Connection, question: Question, rows: Rows, unit: FunctionalUnit) -> Rows:
    """Return the sums that an intensity is worked out from: by the dimension whose values are the units."""
    if unit.count is not None:
        return rows
    by_unit = query.sums(connection, replace(question, by=(unit.name,)))
    return [row for row in by_unit if row["counted"]]


def _period(question: Question, rows: list[dict[str, Any]]) -> Period:
    start, end = question.start, question.end
    if start is None and rows:
        start = min(row["first_hour"] for row in rows).replace(":00Z", ":00:00.000000Z")
    if end is None and rows:
        last = datetime.fromisoformat(max(row["last_hour"] for row in rows))
        end = utc_text(last + timedelta(hours=1))
    return Period(_short(start), _short(end))


def _short(moment: str | None) -> str | None:
    return None if moment is None else moment.replace(".000000Z", "Z")


def _groups(by: tuple[str, ...], rows: list[dict[str, Any]]) -> tuple[Group, ...]:
    if not by:
        return ()
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[tuple(row[f"by_{name}"] for name in by)].append(row)
    groups = [
        Group({name: value or None for name, value in zip(by, key, strict=True)}, _totals(members), places_of(members))
        for key, members in grouped.items()
    ]
    return tuple(sorted(groups, key=_order))


def _order(group: Group) -> tuple[Any, ...]:
    """Time goes forward; within it, the largest emitter comes first."""
    times = tuple(group.keys[name] or "" for name in _TIMES if name in group.keys)
    co2e = group.totals.co2e_grams
    return (times, 0.0 if co2e is None else -co2e.central, tuple(value or "" for value in group.keys.values()))


def _totals(rows: Rows) -> Totals:
    sums = {name: sum_of(row[name] for row in rows) or 0.0 for name in ("calls", *TOKENS, *MEDIA)}
    values: dict[str, Any] = {name: round(sums[name]) for name in (*TOKENS, *MEDIA)}
    values |= {"calls": whole(sums["calls"]), "audio_seconds": rounded(sums["audio_seconds"])}
    values |= {quantity: interval_of(rows, quantity) for quantity in QUANTITIES}
    return Totals(**values)


def _shares(rows: list[dict[str, Any]]) -> Mapping[str, float]:
    grams: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["by_confidence"]:
            grams[row["by_confidence"]].append(row["co2e_grams_central"] or 0.0)
    total = sum_of(value for values in grams.values() for value in values) or 0.0
    if total <= 0.0:
        return {}
    shares = {label: rounded((sum_of(values) or 0.0) / total) for label, values in grams.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _coverage(spans: Mapping[str, int], rows: list[dict[str, Any]], conflicts: int, *, narrowed: bool) -> Coverage:
    """Return how spans came out; what only lines can tell, of the lines that a narrowed report is about."""
    counted = {name: sum(row[name] for row in rows) for name in COUNTS}
    seen = sum(spans.values())
    if narrowed:
        of_lines = dict.fromkeys((Status.NO_USAGE.value, Status.UNKNOWN_MODEL.value), 0)
        for row in rows:
            if row["by_status"] in of_lines:
                of_lines[row["by_status"]] += row["counted"]
        spans = {**spans, **of_lines}
    return Coverage(
        seen_spans=seen,
        counted=counted["counted"],
        duplicates=spans.get(Status.DUPLICATE.value, 0),
        no_usage=spans.get(Status.NO_USAGE.value, 0),
        failed=spans.get(Status.FAILED.value, 0),
        unknown_model=spans.get(Status.UNKNOWN_MODEL.value, 0),
        sampled_calls=counted["sampled_calls"],
        sampling_refused=counted["sampling_refused"],
        parents=spans.get("parent", 0),
        conflicts=conflicts,
        claims_differ=counted["claims_differ"],
        guessed_usage=counted["guessed_usage"],
        not_covered=_not_covered(rows),
    )


def _not_covered(rows: list[dict[str, Any]]) -> Mapping[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["by_status"] != Status.ESTIMATED.value:
            found[row["by_operation"] or "unknown"] += row["counted"]
    return {operation: calls for operation, calls in sorted(found.items()) if calls}
