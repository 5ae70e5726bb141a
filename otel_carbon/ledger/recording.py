"""Recording a batch of sightings: one transaction for observations, lines, reversals, roll-ups and cursor."""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from otel_carbon.estimator import Estimator
from otel_carbon.ledger import statements
from otel_carbon.ledger.clock import next_time, utc_text, utc_text_of_nanoseconds
from otel_carbon.ledger.counting import COUNTED, Candidate, SpanKey, candidate, describe, span_key
from otel_carbon.ledger.dialect import immediate
from otel_carbon.ledger.lines import LineBuilder, reversal_row
from otel_carbon.ledger.marked import MarkedOutcomes, mark_of
from otel_carbon.ledger.neighbours import Neighbours
from otel_carbon.ledger.recorded import Recorded
from otel_carbon.ledger.rollup import hour_of, upsert_hourly_sql, upserts
from otel_carbon.ledger.same_call import Choice, choose
from otel_carbon.ledger.taken_back import reversal_of_line, reversal_of_span, reversals_text
from otel_carbon.model import Call, Footprint, Mark, NotEstimated, Outcome, Reversal, Sighting, Status, Usage
from otel_carbon.spans.groups import one_library_side_by_side

__all__ = ["Recorder"]

_Row = tuple[Any, ...]
_Distinct = dict[SpanKey, tuple[Sighting, int, Outcome | None]]
_UPSERT_HOURLY = upsert_hourly_sql()
_DUPLICATE, _ESTIMATED = Status.DUPLICATE.value, Status.ESTIMATED.value
_ONE_TOKEN = Usage(uncached_input_tokens=1)
_NOT_KNOWN = NotEstimated(Status.UNKNOWN_MODEL, "the stage that marked the span knows no factor for this model")


class Recorder:
    """Records sightings through one connection. Not thread-safe."""

    def __init__(self, connection: sqlite3.Connection, estimator: Estimator) -> None:
        self._connection = connection
        self._estimator = estimator
        self._builder = LineBuilder(estimator.settings.accounting)
        self._marked = MarkedOutcomes(estimator)
        self._neighbours = Neighbours(connection)

    def record(
        self,
        sightings: Sequence[Sighting],
        outcomes: Sequence[Outcome | None] | None,
        cursor: tuple[str, int] | None,
        source: str,
    ) -> Recorded:
        """Record a batch in one transaction. Raises sqlite3.Error, and then nothing of it is recorded."""
        spans, conflicts = _distinct(sightings, repeat(None) if outcomes is None else outcomes)
        connection = self._connection
        with immediate(connection):
            recorded_at = next_time(utc_text(datetime.now(UTC)), statements.last_recorded_at(connection))
            known = statements.known_fingerprints(connection, spans)
            fresh: list[Candidate] = []
            for key, (sighting, fingerprint, outcome) in spans.items():
                if key not in known:
                    span = candidate(sighting, key, fingerprint, _occurred_at(sighting, recorded_at))
                    self._estimate(span, outcome)
                    fresh.append(span)
                elif known[key] != fingerprint:
                    conflicts.append((key, sighting, fingerprint))
            choice = self._choose(fresh)
            reversed_rows, rows = self._lines(fresh, choice, recorded_at, source)
            self._write(fresh, choice, [*reversed_rows, *rows], recorded_at)
            self._write_conflicts(conflicts, recorded_at)
            reversals = (*map(reversal_of_line, reversed_rows), *_lost(fresh))
            if cursor is not None:
                connection.execute(statements.MOVE_CURSOR, (*cursor, recorded_at, reversals_text(reversals)))
        return _summary(len(sightings), fresh, len(conflicts), len(choice.replaced), reversals)

    def _estimate(self, span: Candidate, marked_with: Outcome | None) -> None:
        """Give a span its outcome and status; `marked_with` is what this process has put on it."""
        call, mark = span.sighting.call, span.sighting.mark
        if call is None:
            return
        if isinstance(marked_with, Footprint):
            span.notes = self._marked.notes(call, marked_with)
            if span.notes is None:
                mark, marked_with = mark_of(marked_with), None
                span.sighting = replace(span.sighting, mark=mark)
        status = mark.status if mark is not None else getattr(marked_with, "status", None)
        if status is Status.DUPLICATE:
            span.status = _DUPLICATE
            return
        outcome = _NOT_KNOWN if status is Status.UNKNOWN_MODEL else marked_with or self._outcome(call, mark)
        span.outcome = outcome
        if isinstance(outcome, Footprint):
            span.status, span.place = _ESTIMATED, outcome
        else:
            span.status, span.place = outcome.status.value, self._place(call)

    def _choose(self, fresh: Sequence[Candidate]) -> Choice:
        """Make those of the new spans duplicates that lose to another one; return what changes for earlier ones."""
        calls = [span for span in fresh if span.sighting.call is not None and span.status != _DUPLICATE]
        incumbents = self._neighbours.of(calls)
        if not incumbents and one_library_side_by_side(span.sighting for span in calls):
            return Choice()
        parents = {(span.trace_id, span.span_id): span.parent_span_id for span in fresh}
        parents |= {(each.span.trace_id, each.span.span_id): each.span.parent_span_id for each in incumbents}
        return choose(calls, incumbents, parents)

    def _outcome(self, call: Call, mark: Mark | None) -> Outcome:
        return self._estimator.estimate(call) if mark is None else self._estimator.recompute(call, mark)

    def _place(self, call: Call) -> Footprint | None:
        """Return a footprint that tells model, region and grid of a call that has none of its own."""
        outcome = self._estimator.estimate(replace(call, usage=_ONE_TOKEN, usage_alternative=None, failed=False))
        return outcome if isinstance(outcome, Footprint) else None

    def _lines(
        self, fresh: Sequence[Candidate], choice: Choice, recorded_at: str, source: str
    ) -> tuple[list[_Row], list[_Row]]:
        """Return the reversals and the new calls of this transaction, numbered without a gap."""
        connection = self._connection
        seq = statements.last_line_seq(connection)
        reversed_rows: list[_Row] = []
        for incumbent, winner in choice.replaced:
            if incumbent.line_seq is None:
                continue  # a failed attempt has no line
            seq += 1
            original = connection.execute("SELECT * FROM lines WHERE seq = ?", (incumbent.line_seq,)).fetchone()
            reason = f"span {winner.span_id} of the same call counts"
            reversed_rows.append(reversal_row(original, seq, recorded_at, reason))
        rows: list[_Row] = []
        for span in fresh:
            outcome = span.outcome
            if outcome is None or span.status not in COUNTED:
                continue
            seq += 1
            span.line_seq = seq
            head = (seq, recorded_at, span.occurred_at, span.trace_id, span.span_id)
            rows.append(self._builder.row(head, span.sighting, outcome, span.place, source, notes=span.notes))
        return reversed_rows, rows

    def _write(self, fresh: Sequence[Candidate], choice: Choice, rows: Sequence[_Row], recorded_at: str) -> None:
        connection = self._connection
        spans: Counter[tuple[str, str, str]] = Counter()
        observations: list[tuple[str | int | None, ...]] = []
        for span in fresh:
            observations.append(statements.observation(span, recorded_at))
            spans[(hour_of(span.occurred_at), span.tenant, span.status)] += 1
        for incumbent, _ in choice.replaced:
            hour = hour_of(incumbent.occurred_at)
            spans[(hour, incumbent.tenant, incumbent.status)] -= 1
            spans[(hour, incumbent.tenant, _DUPLICATE)] += 1
        statements.LINES.insert(connection, rows)
        statements.OBSERVATIONS.insert(connection, observations)
        changes = [(recorded_at, incumbent.observation_id) for incumbent, _ in choice.replaced]
        connection.executemany(statements.MARK_DUPLICATE, changes)
        connection.executemany(statements.SET_GROUP, choice.grouped)
        connection.executemany(_UPSERT_HOURLY, upserts(rows))
        connection.executemany(statements.UPSERT_SPANS, [(*key, count) for key, count in spans.items()])

    def _write_conflicts(self, conflicts: Sequence[tuple[SpanKey, Sighting, int]], recorded_at: str) -> None:
        self._connection.executemany(
            statements.INSERT_CONFLICT,
            [
                (*key, _occurred_at(sighting, recorded_at), recorded_at, fingerprint, describe(sighting))
                for key, sighting, fingerprint in conflicts
            ],
        )


def _distinct(
    sightings: Sequence[Sighting], outcomes: Iterable[Outcome | None]
) -> tuple[_Distinct, list[tuple[SpanKey, Sighting, int]]]:
    """Return the first sighting of each span with its fingerprint and outcome, and those that contradict it."""
    spans: _Distinct = {}
    conflicts: list[tuple[SpanKey, Sighting, int]] = []
    for sighting, outcome in zip(sightings, outcomes, strict=False):
        key = span_key(sighting)
        fingerprint = zlib.crc32(describe(sighting).encode("utf-8", "replace"))
        first = spans.setdefault(key, (sighting, fingerprint, outcome))
        if first[1] != fingerprint:
            conflicts.append((key, sighting, fingerprint))
    return spans, conflicts


def _occurred_at(sighting: Sighting, recorded_at: str) -> str:
    """Return when a span began; where it does not say, when it ended, or when it was recorded."""
    call, started = sighting.call, sighting.started_unix_nano
    if call is not None and call.continues:
        started = call.at_unix_nano or started  # when the stream began that the span reports at its end
    unix_nano = started or sighting.ended_unix_nano
    return utc_text_of_nanoseconds(unix_nano) if unix_nano > 0 else recorded_at


def _lost(fresh: Sequence[Candidate]) -> list[Reversal]:
    """Return what stages have counted for spans that did not count here. A marked duplicate they left out, too."""
    duplicates = [span for span in fresh if span.status == _DUPLICATE]
    found = [reversal_of_span(span.sighting, span.outcome) for span in duplicates if span.outcome is not None]
    return [reversal for reversal in found if reversal is not None]


def _summary(
    seen: int, fresh: Sequence[Candidate], conflicts: int, replaced: int, reversals: Sequence[Reversal | None]
) -> Recorded:
    statuses = Counter(span.status for span in fresh)
    return Recorded(
        counted=sum(statuses[status] for status in COUNTED),
        duplicates=statuses[_DUPLICATE],
        failed=statuses[Status.FAILED.value],
        parents=statuses["parent"],
        replayed=seen - len(fresh) - conflicts,
        conflicts=conflicts,
        replaced=replaced,
        reversals=tuple(reversal for reversal in reversals if reversal is not None),
    )
