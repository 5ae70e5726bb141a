"""The SQL of recording."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from otel_carbon.ledger.columns import COLUMN_NAMES, COLUMNS
from otel_carbon.ledger.counting import Candidate, SpanKey
from otel_carbon.ledger.insertion import Insertion
from otel_carbon.ledger.likeness import compared_text, response_key, twin_key
from otel_carbon.ledger.same_call import compared

__all__ = [
    "INSERT_CONFLICT",
    "INSERT_SCOPE",
    "LINES",
    "MARK_DUPLICATE",
    "MOVE_CURSOR",
    "OBSERVATIONS",
    "SET_GROUP",
    "UPSERT_SPANS",
    "chunks",
    "known_fingerprints",
    "last_line_seq",
    "last_recorded_at",
    "observation",
]

_OBSERVATION = (
    "tenant",
    "trace_id",
    "span_id",
    "parent_span_id",
    "role",
    "status",
    "first_status",
    "occurred_at",
    "recorded_at",
    "line_seq",
    "response_id",
    "response_key",
    "twin_key",
    "call_group",
    "compared",
    "scope",
    "has_usage",
    "started_unix_nano",
    "ended_unix_nano",
    "fingerprint",
)
LINES = Insertion("lines", COLUMN_NAMES, (column.name for column in COLUMNS if not column.required))
OBSERVATIONS = Insertion(
    "observations",
    _OBSERVATION,
    ("line_seq", "response_id", "response_key", "twin_key", "call_group", "compared", "scope"),
)
INSERT_SCOPE = "INSERT INTO scopes (tenant, scope) VALUES (?, ?) ON CONFLICT DO NOTHING"
SET_GROUP = "UPDATE observations SET call_group = ? WHERE id = ?"
MARK_DUPLICATE = "UPDATE observations SET status = 'duplicate', status_changed_at = ? WHERE id = ?"
INSERT_CONFLICT = (
    "INSERT INTO conflicts (tenant, trace_id, span_id, occurred_at, recorded_at, fingerprint, content)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
UPSERT_SPANS = (
    "INSERT INTO hourly_spans (hour, tenant, status, spans) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (hour, tenant, status) DO UPDATE SET spans = hourly_spans.spans + excluded.spans"
)
MOVE_CURSOR = (
    "INSERT INTO cursors (name, position, recorded_at, taken_back) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET position = excluded.position, recorded_at = excluded.recorded_at, taken_back = excluded.taken_back"
    " WHERE excluded.position > cursors.position"
)

_CHUNK = 256  # of one fixed size, padded, so that the prepared statement is found again
# A join, because SQLite scans the whole table for `(trace_id, span_id, tenant) IN (VALUES …)`.
_KNOWN = (
    f"WITH wanted (trace_id, span_id, tenant) AS (VALUES {', '.join(['(?, ?, ?)'] * _CHUNK)})"
    " SELECT seen.tenant, seen.trace_id, seen.span_id, seen.fingerprint FROM wanted CROSS JOIN observations AS seen"
    " WHERE seen.trace_id = wanted.trace_id AND seen.span_id = wanted.span_id AND seen.tenant = wanted.tenant"
)
_T = TypeVar("_T")


def last_line_seq(connection: sqlite3.Connection) -> int:
    """Return the number of the last line, 0 in an empty ledger."""
    return int(connection.execute("SELECT COALESCE(MAX(seq), 0) FROM lines").fetchone()[0])


def last_recorded_at(connection: sqlite3.Connection) -> str | None:
    """Return the time of the last transaction that saw a new span. Every line belongs to one."""
    row = connection.execute("SELECT recorded_at FROM observations ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def known_fingerprints(connection: sqlite3.Connection, keys: Iterable[SpanKey]) -> dict[SpanKey, int]:
    """Return the fingerprint of each of these spans that the ledger has seen."""
    known: dict[SpanKey, int] = {}
    for chunk in chunks(keys):
        parameters = [part for tenant, trace_id, span_id in chunk for part in (trace_id, span_id, tenant)]
        for tenant, trace_id, span_id, fingerprint in connection.execute(_KNOWN, parameters):
            known[(tenant, trace_id, span_id)] = fingerprint
    return known


def observation(span: Candidate, recorded_at: str) -> tuple[str | int | None, ...]:
    """Return the row of OBSERVATIONS."""
    response_id, is_call = span.response_id, span.sighting.call is not None
    return (
        span.tenant,
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        "parent" if span.sighting.call is None else "call",
        span.status,
        span.status,
        span.occurred_at,
        recorded_at,
        span.line_seq,
        response_id,
        None if response_id is None else response_key(span.tenant, response_id),
        twin_key(span.tenant, span.service, span.input_tokens) if is_call else None,
        span.call_group,
        None if span.line_seq is not None or (seen := compared(span)) is None else compared_text(seen),
        span.scope,
        int(span.has_usage),
        span.started_unix_nano,
        span.ended_unix_nano,
        span.fingerprint,
    )


def chunks(values: Iterable[_T]) -> Iterator[Sequence[_T]]:
    """Yield the values in runs of one length, so that the prepared statement is found again: the last is repeated."""
    iterator = iter(values)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk + [chunk[-1]] * (_CHUNK - len(chunk))
