"""From the sums of the ledger to a report."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.factors.equivalents import DEFAULT_EQUIVALENTS, equivalents_of
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.clock import utc_text
from otel_carbon.ledger.columns import bounds_of
from otel_carbon.ledger.rollup import COUNTS, SUMS
from otel_carbon.model import Interval, Status
from otel_carbon.reports import query
from otel_carbon.reports.intensity import sci_of_rows
from otel_carbon.reports.period import end_of, start_of
from otel_carbon.reports.query import BY, Question
from otel_carbon.reports.report import Coverage, Group, Period, Report, TakenBack, Totals
from otel_carbon.reports.second_set import SecondSums
from otel_carbon.reports.wording import notes_of, sentence_of

__all__ = ["DEFAULT_BY", "summarise"]

DEFAULT_BY = ("provider", "model")

_TIMES = ("month", "day", "hour")
# The order of adding changes the last digits of a sum; a report must not depend on it.
_DIGITS = 12


def summarise(
    ledger: Ledger,
    start: str | None = None,
    end: str | None = None,
    as_of: str | None = None,
    *,
    by: Iterable[str] = DEFAULT_BY,
    tenant: str | None = None,
    second: Estimator | None = None,
) -> Report:
    """Return the report over a period.

    `start`, `end` and `as_of` are dates or times (ISO 8601, UTC where they do not say). A date alone is the whole day:
    `end` and `as_of` include it; a time as `end` is exclusive. With `as_of` the report is what it was then, whatever
    was recorded since. `second` estimates the same calls by another factor set, beside the figures of the ledger.

    Raises:
        ConfigError: a date or a dimension is not one.
        StorageError: the ledger cannot be read.
    """
    question = Question(
        start=None if start is None else start_of(start, "--from"),
        end=None if end is None else end_of(end, "--to"),
        as_of=None if as_of is None else end_of(as_of, "--as-of"),
        tenant=tenant,
        by=_dimensions(by),
    )
    if question.start is not None and question.end is not None and question.end <= question.start:
        raise ConfigError(f"--to: {end} is not after --from {start}")
    with ledger.snapshot() as connection:
        rows = [row for row in query.sums(connection, question) if row["counted"]]
        spans = query.spans_by_status(connection, question)
        conflicts = query.conflicts(connection, question)
        taken_back = TakenBack(*query.lines_taken_back(connection, question))
        seen_until = query.as_of_default(connection)
        sums = None if second is None else SecondSums(second, question.by, query.distinct_calls(connection, question))
    report = _report(question, rows, _coverage(spans, rows, conflicts), taken_back, seen_until)
    return report if sums is None else replace(report, second_set=sums.beside(report))


def _dimensions(by: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in by if name.strip()))
    for name in names:
        if name not in BY:
            raise ConfigError(f"--by: {name!r} is not a dimension; choose from {', '.join(BY)}")
    return names


def _report(
    question: Question,
    rows: list[dict[str, Any]],
    coverage: Coverage,
    taken_back: TakenBack,
    seen_until: str | None,
) -> Report:
    totals = _totals(rows)
    shares = _shares(rows)
    factor_sets = tuple(sorted({row["by_factor_set"] for row in rows} - {""}))
    grid_sources = tuple(sorted({row["by_grid_source"] for row in rows if row["by_confidence"]} - {""}))
    tables = FactorTables.bundled()
    co2e = totals.co2e_grams
    return Report(
        period=_period(question, rows),
        as_of=question.as_of or seen_until or utc_text(datetime.now(UTC)),
        tenant=question.tenant,
        totals=totals,
        by=question.by,
        groups=_groups(question.by, rows),
        coverage=coverage,
        confidence_share=shares,
        factor_sets=factor_sets,
        grid_sources=grid_sources,
        taken_back=TakenBack(taken_back.lines, _rounded(taken_back.co2e_grams)),
        equivalents={} if co2e is None else equivalents_of(co2e.central, tables.equivalents[DEFAULT_EQUIVALENTS]),
        notes=notes_of(coverage),
        sentence=sentence_of(co2e, shares, factor_sets, grid_sources),
        sci=sci_of_rows(rows, co2e),
    )


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
        Group({name: value or None for name, value in zip(by, key, strict=True)}, _totals(members))
        for key, members in grouped.items()
    ]
    return tuple(sorted(groups, key=_order))


def _order(group: Group) -> tuple[Any, ...]:
    """Time goes forward; within it, the largest emitter comes first."""
    times = tuple(group.keys[name] or "" for name in _TIMES if name in group.keys)
    co2e = group.totals.co2e_grams
    return (times, 0.0 if co2e is None else -co2e.central, tuple(value or "" for value in group.keys.values()))


def _totals(rows: list[dict[str, Any]]) -> Totals:
    sums = {name: _sum(row[name] for row in rows) for name in SUMS}
    estimated = any(row["by_status"] == Status.ESTIMATED.value for row in rows)

    def tokens(name: str) -> int:
        return round(sums[name] or 0.0)

    def quantity(name: str) -> Interval | None:
        return _interval([sums[column] for column in bounds_of(name)], estimated=estimated)

    return Totals(
        calls=_whole(sums["calls"] or 0.0),
        input_tokens=tokens("input_tokens"),
        cache_read_tokens=tokens("cache_read_tokens"),
        cache_write_tokens=tokens("cache_write_tokens"),
        output_tokens=tokens("output_tokens"),
        reasoning_tokens=tokens("reasoning_tokens"),
        media_input_tokens=tokens("media_input_tokens"),
        media_output_tokens=tokens("media_output_tokens"),
        images=tokens("images"),
        videos=tokens("videos"),
        audio_seconds=_rounded(sums["audio_seconds"] or 0.0),
        energy_wh=quantity("energy_wh"),
        it_energy_wh=quantity("it_energy_wh"),
        co2e_grams=quantity("co2e_grams"),
        co2e_operational_grams=quantity("co2e_operational_grams"),
        co2e_embodied_grams=quantity("co2e_embodied_grams"),
        water_liters=quantity("water_liters"),
        primary_energy_mj=quantity("primary_energy_mj"),
        abiotic_depletion_kgsbeq=quantity("abiotic_depletion_kgsbeq"),
        co2e_market_based_grams=quantity("co2e_market_based_grams"),
    )


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else _rounded(value)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _interval(bounds: list[float | None], *, estimated: bool) -> Interval | None:
    """Return the interval; None where calls were estimated and their factor sets do not give the quantity."""
    low, central, high = bounds
    if low is None or central is None or high is None:
        return None if estimated else Interval.exact(0.0)
    if not estimated:  # what is left of lines that were taken back
        return Interval.exact(0.0)
    middle = max(_rounded(central), 0.0)
    return Interval(min(max(_rounded(low), 0.0), middle), middle, max(_rounded(high), middle))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _shares(rows: list[dict[str, Any]]) -> Mapping[str, float]:
    grams: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["by_confidence"]:
            grams[row["by_confidence"]].append(row["co2e_grams_central"] or 0.0)
    total = math.fsum(value for values in grams.values() for value in values)
    if total <= 0.0:
        return {}
    shares = {label: _rounded(math.fsum(values) / total) for label, values in grams.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _coverage(spans: Mapping[str, int], rows: list[dict[str, Any]], conflicts: int) -> Coverage:
    counted = {name: sum(row[name] for row in rows) for name in COUNTS}
    return Coverage(
        seen_spans=sum(spans.values()),
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
        not_covered=_not_covered(rows),
    )


def _not_covered(rows: list[dict[str, Any]]) -> Mapping[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["by_status"] != Status.ESTIMATED.value:
            found[row["by_operation"] or "unknown"] += row["counted"]
    return {operation: calls for operation, calls in sorted(found.items()) if calls}
