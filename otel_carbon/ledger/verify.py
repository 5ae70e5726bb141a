"""Checking the book: nothing missing, nothing changed, every sum right."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from otel_carbon.ledger.book import Ledger
from otel_carbon.ledger.canonical import encode_row, leaf_hash
from otel_carbon.ledger.columns import COLUMN_NAMES, NEGATED
from otel_carbon.ledger.counting import COUNTED
from otel_carbon.ledger.dialect import damages
from otel_carbon.ledger.rollup import COUNTS, DIMENSIONS, HOUR_SQL, SUMS, hourly_from_lines_sql

__all__ = ["Verification", "verify"]

_MOST_PROBLEMS = 20
# The order of adding changes the last digits; 1e-9 is far below what a person reports and far above that.
_RELATIVE_TOLERANCE = 1e-9
_ABSOLUTE_TOLERANCE = 1e-9
_SEQ, _HASH = COLUMN_NAMES.index("seq"), COLUMN_NAMES.index("hash")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the whole ledger found. `problems` holds the first ones, as sentences; empty: all is well."""

    lines: int
    observations: int
    problems: tuple[str, ...]


def verify(ledger: Ledger, progress: Callable[[int], None] | None = None) -> Verification:
    """Check sequence, hashes, reversals, observations and roll-ups. `progress` is told the lines read so far.

    Raises:
        StorageError: the file cannot be read.
    """
    problems: list[str] = []
    with ledger.snapshot() as connection:
        damaged = damages(connection)
        if damaged:  # what else such a file says cannot be trusted, or read
            return Verification(0, 0, tuple(f"the file is damaged: {message}" for message in damaged))
        lines = int(connection.execute("SELECT COUNT(*) FROM lines").fetchone()[0])
        observations = int(connection.execute("SELECT COUNT(*) FROM observations").fetchone()[0])
        checks = (
            _lines(connection, progress),
            _reversals(connection),
            _observations(connection),
            _hourly(connection),
            _hourly_spans(connection),
        )
        for check in checks:
            for problem in check:
                problems.append(problem)
                if len(problems) >= _MOST_PROBLEMS:
                    return Verification(lines, observations, (*problems, "and perhaps more"))
    return Verification(lines, observations, tuple(problems))


def _lines(connection: sqlite3.Connection, progress: Callable[[int], None] | None) -> Iterator[str]:
    expected, last_recorded = 1, ""
    for row in connection.execute("SELECT * FROM lines ORDER BY seq"):
        seq = row[_SEQ]
        if seq != expected:
            yield f"line {expected} is missing: after line {expected - 1} comes line {seq}"
        if leaf_hash(encode_row(row)) != row[_HASH]:
            yield f"line {seq} was changed: its content does not give its hash"
        if row[2] < last_recorded:
            yield f"line {seq} was recorded before the line in front of it"
        expected, last_recorded = seq + 1, row[2]
        if progress is not None and seq % 10_000 == 0:
            progress(seq)


def _reversals(connection: sqlite3.Connection) -> Iterator[str]:
    opposite = " OR ".join(f"COALESCE(taken.{name}, 0) <> -COALESCE(line.{name}, 0)" for name in sorted(NEGATED))
    query = (
        "SELECT taken.seq, taken.reverses_seq, line.seq IS NULL, line.kind <> 'call' OR line.seq > taken.seq,"
        f" {opposite} FROM lines AS taken LEFT JOIN lines AS line ON line.seq = taken.reverses_seq"
        " WHERE taken.kind = 'reversal' OR taken.reverses_seq IS NOT NULL"
    )
    for seq, reverses, orphan, misdirected, unequal in connection.execute(query):
        if orphan:
            yield f"line {seq} takes back line {reverses}, which does not exist"
        elif misdirected:
            yield f"line {seq} takes back line {reverses}, which is not an earlier call"
        elif unequal:
            yield f"line {seq} does not take back what line {reverses} says"


def _observations(connection: sqlite3.Connection) -> Iterator[str]:
    counted = ", ".join(repr(status) for status in COUNTED)
    standing = "SELECT seq FROM lines WHERE kind = 'call' AND seq NOT IN"
    standing += " (SELECT reverses_seq FROM lines WHERE reverses_seq IS NOT NULL)"
    queries = (
        (
            (
                f"SELECT line_seq FROM observations WHERE status IN ({counted})"
                f" AND COALESCE(line_seq, 0) NOT IN ({standing})"
            ),
            "a span counts by line {}, which does not stand",
        ),
        (
            (
                f"SELECT seq FROM ({standing}) AS lines_standing WHERE seq NOT IN"
                f" (SELECT line_seq FROM observations WHERE status IN ({counted}))"
            ),
            "line {} stands, and no span counts by it",
        ),
    )
    for query, sentence in queries:
        for (seq,) in connection.execute(query):
            yield sentence.format(seq)


def _hourly(connection: sqlite3.Connection) -> Iterator[str]:
    names = (*COUNTS, *SUMS)
    keys = ("hour", *DIMENSIONS)
    columns = ", ".join((*keys, *names))
    booked = _by_key(connection.execute(f"SELECT {columns} FROM hourly"), len(keys))
    summed = _by_key(connection.execute(f"SELECT {columns} FROM ({hourly_from_lines_sql()}) AS summed"), len(keys))
    for key in sorted(booked.keys() | summed.keys()):
        pairs = zip(names, booked.get(key, _NOTHING), summed.get(key, _NOTHING), strict=False)
        for name, have, want in pairs:
            if not _same(have, want):
                group = ", ".join(filter(None, key))
                yield f"the roll-up of {group} has {name} {have}, its lines {want}"


def _hourly_spans(connection: sqlite3.Connection) -> Iterator[str]:
    booked = dict(_spans(connection, "SELECT hour, tenant, status, spans FROM hourly_spans WHERE spans <> 0"))
    query = f"SELECT {HOUR_SQL}, tenant, status, COUNT(*) FROM observations GROUP BY 1, 2, 3"
    summed = dict(_spans(connection, query))
    for key in sorted(booked.keys() | summed.keys()):
        if booked.get(key, 0) != summed.get(key, 0):
            yield f"the roll-up of {key[0]} has {booked.get(key, 0)} spans {key[2]}, not {summed.get(key, 0)}"


_NOTHING: tuple[float | None, ...] = (None,) * (len(COUNTS) + len(SUMS))


def _by_key(rows: sqlite3.Cursor, keys: int) -> dict[tuple[str, ...], tuple[float | None, ...]]:
    return {tuple(row[:keys]): tuple(row[keys:]) for row in rows}


def _spans(connection: sqlite3.Connection, query: str) -> Iterator[tuple[tuple[str, str, str], int]]:
    rows: list[Any] = connection.execute(query).fetchall()
    return (((hour, tenant, status), spans) for hour, tenant, status, spans in rows)


def _same(have: float | None, want: float | None) -> bool:
    return math.isclose(have or 0.0, want or 0.0, rel_tol=_RELATIVE_TOLERANCE, abs_tol=_ABSOLUTE_TOLERANCE)
