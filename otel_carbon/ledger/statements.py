"""The SQL of recording."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from otel_carbon.ledger.counting import COUNTED, Candidate, Incumbent, ResponseKey, SpanKey

__all__ = [
    "INSERT_CONFLICT",
    "INSERT_OBSERVATION",
    "MARK_DUPLICATE",
    "MOVE_CURSOR",
    "UPSERT_SPANS",
    "incumbents",
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
    "has_usage",
    "started_unix_nano",
    "ended_unix_nano",
    "fingerprint",
)
INSERT_OBSERVATION = (
    f"INSERT INTO observations ({', '.join(_OBSERVATION)}) VALUES ({', '.join('?' * len(_OBSERVATION))})"
)
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
    "INSERT INTO cursors (name, position, recorded_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET position = excluded.position, recorded_at = excluded.recorded_at WHERE excluded.position > cursors.position"
)

_CHUNK = 256  # of one fixed size, padded, so that the prepared statement is found again
# A join, because SQLite scans the whole table for `(trace_id, span_id, tenant) IN (VALUES …)`.
_KNOWN = (
    f"WITH wanted (trace_id, span_id, tenant) AS (VALUES {', '.join(['(?, ?, ?)'] * _CHUNK)})"
    " SELECT seen.tenant, seen.trace_id, seen.span_id, seen.fingerprint FROM wanted CROSS JOIN observations AS seen"
    " WHERE seen.trace_id = wanted.trace_id AND seen.span_id = wanted.span_id AND seen.tenant = wanted.tenant"
)
_INCUMBENTS = (
    "SELECT tenant, trace_id, span_id, parent_span_id, response_id, has_usage, started_unix_nano, ended_unix_nano,"
    f" id, line_seq, status, occurred_at FROM observations WHERE response_key IN ({', '.join('?' * _CHUNK)})"
    f" AND status IN ({', '.join(repr(status) for status in COUNTED)})"
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
    for chunk in _chunks(keys):
        parameters = [part for tenant, trace_id, span_id in chunk for part in (trace_id, span_id, tenant)]
        for tenant, trace_id, span_id, fingerprint in connection.execute(_KNOWN, parameters):
            known[(tenant, trace_id, span_id)] = fingerprint
    return known


def incumbents(connection: sqlite3.Connection, responses: Iterable[ResponseKey]) -> dict[ResponseKey, Incumbent]:
    """Return the observation that counts now for each of these responses that the ledger knows."""
    wanted = set(responses)
    found: dict[ResponseKey, Incumbent] = {}
    for chunk in _chunks({_response_hash(key) for key in wanted}):
        for row in connection.execute(_INCUMBENTS, chunk):
            incumbent = Incumbent(*row)
            key = (incumbent.tenant, incumbent.response_id)
            if key in wanted:  # two ids can share a hash
                found[key] = incumbent
    return found


def observation(span: Candidate, recorded_at: str) -> tuple[str | int | None, ...]:
    """Return the parameters of INSERT_OBSERVATION."""
    response_id = span.response_id
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
        None if response_id is None else _response_hash((span.tenant, response_id)),
        int(span.has_usage),
        span.started_unix_nano,
        span.ended_unix_nano,
        span.fingerprint,
    )


def _response_hash(key: ResponseKey) -> int:
    tenant, response_id = key
    return zlib.crc32(f"{tenant}\0{response_id}".encode())


def _chunks(values: Iterable[_T]) -> Iterator[Sequence[_T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk + [chunk[-1]] * (_CHUNK - len(chunk))
