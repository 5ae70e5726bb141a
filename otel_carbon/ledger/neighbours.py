"""Finds, among all that was ever recorded, the spans that may be the same call as a new one."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from otel_carbon.ledger.clock import utc_text_of_nanoseconds
from otel_carbon.ledger.counting import LATEST_UNIX_NANO, Candidate
from otel_carbon.ledger.likeness import from_line, from_text, response_key, twin_key
from otel_carbon.ledger.same_call import Incumbent
from otel_carbon.ledger.statements import INSERT_SCOPE, chunks
from otel_carbon.model import Status
from otel_carbon.spans.groups import MOST_COMPARED
from otel_carbon.spans.one_call import CLOCK_SLACK_NS, CallSpan

__all__ = ["BY_RESPONSE", "BY_TIME", "BY_TRACE", "BY_TWIN", "Neighbours"]

_COLUMNS = (
    "seen.id, seen.tenant, seen.status, seen.line_seq, seen.occurred_at, seen.call_group, seen.trace_id, seen.span_id,"
    " seen.parent_span_id, seen.scope, seen.started_unix_nano, seen.ended_unix_nano, seen.response_id, seen.has_usage,"
    " seen.compared, line.service, line.model, line.request_model, line.data_tier, line.input_tokens,"
    " line.cache_read_tokens, line.cache_write_tokens, line.output_tokens, line.reasoning_tokens"
)
_LINE = "LEFT JOIN lines AS line ON line.seq = seen.line_seq"


def _bounded(condition: str) -> str:
    """Return a look-up of the last that began before a span ended; the index gives them, and no others are read."""
    return (
        f"SELECT {_COLUMNS} FROM (SELECT * FROM observations WHERE {condition} AND started_unix_nano <= ?"
        f" ORDER BY started_unix_nano DESC LIMIT {MOST_COMPARED}) AS seen {_LINE}"
        " WHERE seen.ended_unix_nano >= ? AND seen.tenant = ?"
    )


BY_RESPONSE = _bounded("response_key = ?")
BY_TWIN = _bounded("twin_key = ?")
BY_TRACE = (
    f"SELECT {_COLUMNS} FROM (SELECT * FROM observations WHERE trace_id = ? AND role = 'call'"
    f" LIMIT {4 * MOST_COMPARED}) AS seen {_LINE}"
    " WHERE seen.started_unix_nano <= ? AND seen.ended_unix_nano >= ? AND seen.tenant = ?"
)
# Of a span without counts nothing is known to find its twin by but when it was.
BY_TIME = (
    f"SELECT {_COLUMNS} FROM (SELECT * FROM lines WHERE occurred_at <= ? ORDER BY occurred_at DESC"
    f" LIMIT {MOST_COMPARED}) AS line JOIN observations AS seen ON seen.trace_id = line.trace_id"
    " AND seen.span_id = line.span_id WHERE seen.line_seq = line.seq AND seen.ended_unix_nano >= ? AND seen.tenant = ?"
)
_CHUNK = 256
_RESPONSES = (
    f"WITH wanted (key) AS (VALUES {', '.join(['(?)'] * _CHUNK)})"
    " SELECT key FROM wanted WHERE EXISTS (SELECT 1 FROM observations WHERE response_key = wanted.key)"
)
_WANTED = f"WITH wanted (trace_id, span_id, tenant) AS (VALUES {', '.join(['(?, ?, ?)'] * _CHUNK)})"
# Joins, because SQLite scans the whole table for `(trace_id, span_id, tenant) IN (VALUES …)`.
_PARENTS = (
    f"{_WANTED} SELECT {_COLUMNS} FROM wanted CROSS JOIN observations AS seen {_LINE}"
    " WHERE seen.trace_id = wanted.trace_id AND seen.span_id = wanted.span_id AND seen.tenant = wanted.tenant"
    " AND seen.role = 'call'"
)
_CHILDREN = (
    f"{_WANTED} SELECT {_COLUMNS} FROM wanted CROSS JOIN observations AS seen {_LINE}"
    " WHERE seen.trace_id = wanted.trace_id AND seen.parent_span_id = wanted.span_id AND seen.tenant = wanted.tenant"
    " AND seen.role = 'call' AND seen.parent_span_id <> ''"
)
_GROUPS = (
    f"WITH wanted (number) AS (VALUES {', '.join(['(?)'] * _CHUNK)}) SELECT {_COLUMNS} FROM wanted"
    f" CROSS JOIN observations AS seen {_LINE} WHERE seen.call_group = wanted.number"
)


class Neighbours:
    """Looks up what the ledger has around new spans, within the transaction that records them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._scopes: set[tuple[str, str]] = set()
        self._of_several: set[str] = set()

    def of(self, newcomers: Sequence[Candidate]) -> list[Incumbent]:
        """Return the observations that may be the same call as one of these, and all others of their groups."""
        self._remember_scopes(newcomers)
        found = {row[0]: _incumbent(row) for row in self._rows(newcomers)}
        numbers = {each.call_group for each in found.values() if each.call_group is not None}
        for chunk in chunks(numbers):
            found.update((row[0], _incumbent(row)) for row in self._connection.execute(_GROUPS, chunk))
        return list(found.values())

    def _rows(self, spans: Sequence[Candidate]) -> Iterator[tuple[Any, ...]]:
        yield from self._joined(_CHILDREN, ((span.trace_id, span.span_id, span.tenant) for span in spans))
        inner = [(span.trace_id, span.parent_span_id, span.tenant) for span in spans if span.parent_span_id]
        yield from self._joined(_PARENTS, inner)
        known = self._known_responses(spans)
        for span in spans:
            if known and span.response_id is not None and (key := response_key(span.tenant, span.response_id)) in known:
                yield from self._connection.execute(BY_RESPONSE, (key, *_times(span)))
            if span.tenant in self._of_several:
                yield from self._twins(span)

    def _twins(self, span: Candidate) -> Iterator[tuple[Any, ...]]:
        latest, earliest, tenant = times = _times(span)
        without_counts = twin_key(tenant, span.service, None)
        yield from self._connection.execute(BY_TWIN, (without_counts, *times))
        if span.input_tokens is not None:
            yield from self._connection.execute(BY_TWIN, (twin_key(tenant, None, span.input_tokens), *times))
        else:
            yield from self._connection.execute(BY_TRACE, (span.trace_id, *times))
            yield from self._connection.execute(BY_TIME, (utc_text_of_nanoseconds(latest), earliest, tenant))

    def _joined(self, query: str, wanted: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Any, ...]]:
        for chunk in chunks(wanted):
            yield from self._connection.execute(query, [part for key in chunk for part in key])

    def _known_responses(self, spans: Iterable[Candidate]) -> set[int]:
        keys = (response_key(span.tenant, span.response_id) for span in spans if span.response_id is not None)
        return {row[0] for chunk in chunks(keys) for row in self._connection.execute(_RESPONSES, chunk)}

    def _remember_scopes(self, spans: Iterable[Candidate]) -> None:
        """Note which libraries a tenant has: side by side, spans of one library are never one call."""
        scopes = {(span.tenant, span.scope or "") for span in spans}
        self._connection.executemany(INSERT_SCOPE, sorted(scopes - self._scopes))
        self._scopes |= scopes
        for tenant in {tenant for tenant, _ in scopes} - self._of_several:
            count = "SELECT COUNT(*) FROM scopes WHERE tenant = ?"
            if self._connection.execute(count, (tenant,)).fetchone()[0] > 1:
                self._of_several.add(tenant)


def _times(span: Candidate) -> tuple[int, int, str]:
    """Return the last beginning and the first end of spans that one may be the same call as, and its tenant."""
    latest = min(span.ended_unix_nano + CLOCK_SLACK_NS, LATEST_UNIX_NANO)
    return latest, span.started_unix_nano - CLOCK_SLACK_NS, span.tenant


def _incumbent(row: Sequence[Any]) -> Incumbent:
    number, tenant, status, line_seq, occurred_at, group, trace_id, span_id, parent, scope, started, ended = row[:12]
    response_id, has_usage, text = row[12:15]
    compared = from_text(text) if text is not None else from_line(row[15:], has_usage=bool(has_usage))
    service, models, counts, guessed = compared
    span = CallSpan(
        trace_id,
        span_id,
        parent,
        scope,
        service,
        started,
        ended,
        response_id,
        models,
        counts,
        status == Status.FAILED.value and counts is None,
        guessed,
    )
    return Incumbent(number, tenant, status, line_seq, occurred_at, group, span)
