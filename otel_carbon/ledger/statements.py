"""The SQL of recording."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from otel_carbon.ledger.counting import LATEST_UNIX_NANO, Candidate, ResponseKey, SpanKey
from otel_carbon.ledger.same_call import CLOCK_SLACK_NS, MOST_COMPARED, Incumbent

__all__ = [
    "INCUMBENTS",
    "INSERT_CONFLICT",
    "INSERT_OBSERVATION",
    "MARK_DUPLICATE",
    "MOVE_CURSOR",
    "UPSERT_SPANS",
    "incumbents",
    "known_fingerprints",
    "known_responses",
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
    "scope",
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
_KNOWN_RESPONSES = (
    f"WITH wanted (key) AS (VALUES {', '.join(['(?)'] * _CHUNK)})"
    " SELECT key FROM wanted WHERE EXISTS (SELECT 1 FROM observations WHERE response_key = wanted.key)"
)
# However many spans share an id, the index gives the last that began before a span ended, and no others are read.
INCUMBENTS = (
    "SELECT seen.trace_id, seen.span_id, seen.parent_span_id, seen.scope, seen.has_usage, seen.started_unix_nano,"
    " seen.ended_unix_nano, seen.status, seen.tenant, seen.response_id, seen.id, seen.line_seq, seen.occurred_at,"
    " line.service, line.input_tokens, line.output_tokens FROM (SELECT * FROM observations WHERE response_key = ?"
    f" AND started_unix_nano <= ? ORDER BY started_unix_nano DESC LIMIT {MOST_COMPARED + 1}) AS seen"
    " LEFT JOIN lines AS line ON line.seq = seen.line_seq"
    " WHERE seen.tenant = ? AND seen.response_id = ? AND seen.ended_unix_nano >= ?"
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


def known_responses(connection: sqlite3.Connection, responses: Iterable[ResponseKey]) -> set[ResponseKey]:
    """Return which of these responses the ledger may have seen; two ids can share a hash."""
    keys: dict[int, list[ResponseKey]] = {}
    for response in responses:
        keys.setdefault(_response_hash(response), []).append(response)
    found = (row[0] for chunk in _chunks(keys) for row in connection.execute(_KNOWN_RESPONSES, chunk))
    return {response for key in found for response in keys[key]}


def incumbents(
    connection: sqlite3.Connection, response: ResponseKey, newcomers: Iterable[Candidate]
) -> list[Incumbent]:
    """Return the observations of a response that were under way while one of the newcomers was."""
    tenant, response_id = response
    key = _response_hash(response)
    found: dict[int, Incumbent] = {}
    for span in newcomers:
        latest = min(span.ended_unix_nano + CLOCK_SLACK_NS, LATEST_UNIX_NANO)
        earliest = span.started_unix_nano - CLOCK_SLACK_NS
        for row in connection.execute(INCUMBENTS, (key, latest, tenant, response_id, earliest)):
            incumbent = Incumbent(*row)
            found[incumbent.observation_id] = incumbent
    return list(found.values())


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
        span.scope,
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
