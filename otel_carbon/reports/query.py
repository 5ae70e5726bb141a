"""The SQL behind a report. It runs over the roll-ups or over the lines, and gives the same rows."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otel_carbon.ledger.columns import MEDIA, TOKENS
from otel_carbon.ledger.rollup import (
    COUNTS,
    DIMENSIONS,
    HOUR_SQL,
    LINE_COUNTS,
    LINE_DIMENSIONS,
    SUMS,
    dimension_sql,
)
from otel_carbon.reports.period import hour_of_bound

__all__ = [
    "BY",
    "Question",
    "as_of_default",
    "conflicts",
    "distinct_calls",
    "lines_taken_back",
    "spans_by_status",
    "sums",
]

_TIMES = {"month": 7, "day": 10, "hour": 17}  # leading characters of 2026-11-23T20:00Z
_ALWAYS = (
    *("status", "confidence", "factor_set", "factor", "grid_source", "operation"),
    *("scope", "category", "accounting_reason", "market_source"),
)
_OF_CALLS = ("lines", "hourly")
_OF_A_CALL = (
    *("provider", "request_model", "model", "operation", "region", "region_source", "grid_zone"),
    *("grid_intensity_g_per_kwh", "grid_source", "factor_set", "adjusted_count"),
)

BY = (
    "provider",
    "model",
    "operation",
    "service",
    "environment",
    "tenant",
    "project",
    "workload",
    "agent",
    "user",
    "conversation",
    "region",
    "zone",
    "confidence",
    "source",
    "factor_set",
    "factor",
    "scope",
    "category",
    "day",
    "hour",
    "month",
)
"""What `--by` takes."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: which calls, recorded until when, grouped how. Times are as the ledger writes them."""

    start: str | None = None
    end: str | None = None
    as_of: str | None = None
    tenant: str | None = None
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    """Dimension and the value that it must have; an empty value is an unknown one."""

    @property
    def from_rollups(self) -> bool:
        """Whether the roll-ups can answer: whole hours, dimensions of theirs, and the ledger as it stands now."""
        whole = all(bound is None or hour_of_bound(bound) is not None for bound in (self.start, self.end))
        dimensions = (*self.by, *(name for name, _ in self.where))
        return whole and self.as_of is None and LINE_DIMENSIONS.keys().isdisjoint(dimensions)


def sums(connection: sqlite3.Connection, question: Question) -> Iterator[dict[str, Any]]:
    """Yield the sums by every dimension that a report needs, with the first and last hour of each."""
    dimensions = tuple(dict.fromkeys((*question.by, *_ALWAYS)))
    if question.from_rollups:
        columns = [f"{_of_hourly(name)} AS by_{name}" for name in dimensions]
        counts, hour, table = {name: name for name in COUNTS}, "hour", "hourly"
    else:
        columns = [f"{_of_lines(name)} AS by_{name}" for name in dimensions]
        counts, hour, table = LINE_COUNTS, HOUR_SQL, "lines"
    columns += [f"SUM({expression}) AS {name}" for name, expression in counts.items()]
    columns += [f"SUM({name} * 1.0) AS {name}" for name in SUMS]  # floating point: no sum overflows
    columns += [f"MIN({hour}) AS first_hour", f"MAX({hour}) AS last_hour"]
    where, values = _where(question, table)
    keys = ", ".join(str(number + 1) for number in range(len(dimensions)))
    cursor = connection.execute(
        f"SELECT {', '.join(columns)} FROM {table}{where} GROUP BY {keys} ORDER BY {keys}", values
    )
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def distinct_calls(connection: sqlite3.Connection, question: Question) -> Iterator[dict[str, Any]]:
    """Yield the calls with counts, those that agree in everything an estimate depends on as one row.

    `calls` is how many of them stand, reversed ones taken off; tokens and items are those of a line.
    """
    columns = [f"{_of_lines(name)} AS by_{name}" for name in question.by]
    columns += [*_OF_A_CALL, *(f"ABS({name}) AS {name}" for name in (*TOKENS, *MEDIA))]
    where, values = _where(question, "lines")
    condition = f"{where} AND" if where else " WHERE"
    keys = ", ".join(str(number + 1) for number in range(len(columns)))
    cursor = connection.execute(
        f"SELECT {', '.join(columns)}, SUM(calls) AS calls FROM lines{condition}"
        " COALESCE(input_tokens, images, videos, audio_seconds) IS NOT NULL"
        f" GROUP BY {keys} HAVING SUM(calls) > 0 ORDER BY {keys}",
        values,
    )
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def spans_by_status(connection: sqlite3.Connection, question: Question) -> dict[str, int]:
    """Return how many spans were seen, by how they came out."""
    if question.from_rollups:
        where, values = _where(question, "hourly_spans")
        query = f"SELECT status, SUM(spans) FROM hourly_spans{where} GROUP BY status"
    else:
        where, values = _where(question, "observations")
        status = "status"
        if question.as_of is not None:
            status = "CASE WHEN status_changed_at > ? THEN first_status ELSE status END"
            values = [question.as_of, *values]
        query = f"SELECT {status}, COUNT(*) FROM observations{where} GROUP BY 1"
    return dict(connection.execute(query, values).fetchall())


def conflicts(connection: sqlite3.Connection, question: Question) -> int:
    """Return how many spans came again with different content."""
    where, values = _where(question, "conflicts")
    return int(connection.execute(f"SELECT COUNT(*) FROM conflicts{where}", values).fetchone()[0])


def lines_taken_back(connection: sqlite3.Connection, question: Question) -> tuple[int, float]:
    """Return how many lines were reversed, and the gCO2e that took back."""
    where, values = _where(question, "lines")
    condition = f"{where} AND" if where else " WHERE"
    query = f"SELECT COUNT(*), COALESCE(-SUM(co2e_grams_central), 0.0) FROM lines{condition} reverses_seq IS NOT NULL"
    count, co2e_grams = connection.execute(query, values).fetchone()
    return int(count), float(co2e_grams)


def as_of_default(connection: sqlite3.Connection) -> str | None:
    """Return the last moment of recording: a report as of then can be repeated for ever."""
    row = connection.execute("SELECT recorded_at FROM observations ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def _of_hourly(name: str) -> str:
    if name in _TIMES:
        return f"substr(hour, 1, {_TIMES[name]})"
    return name


def _of_lines(name: str) -> str:
    if name in _TIMES:
        return f"substr({HOUR_SQL}, 1, {_TIMES[name]})"
    return dimension_sql(name) if name in DIMENSIONS or name in LINE_DIMENSIONS else name


def _where(question: Question, table: str) -> tuple[str, list[Any]]:
    hourly = table.startswith("hourly")
    time = "hour" if hourly else "occurred_at"
    conditions: list[str] = []
    values: list[Any] = []
    for bound, operator in ((question.start, ">="), (question.end, "<")):
        if bound is not None:
            conditions.append(f"{time} {operator} ?")
            values.append(hour_of_bound(bound) if hourly else bound)
    if question.as_of is not None and not hourly:
        conditions.append("recorded_at <= ?")
        values.append(question.as_of)
    if question.tenant is not None:
        conditions.append("tenant = ?")
        values.append(question.tenant)
    if table in _OF_CALLS:  # a span that was not counted has no model, no scope and no factor
        for name, value in question.where:
            conditions.append(f"{_of_hourly(name) if hourly else _of_lines(name)} = ?")
            values.append(value)
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values
