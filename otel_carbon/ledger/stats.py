"""What is in a ledger, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.ledger.book import Ledger

__all__ = ["Stats", "stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """The size of a ledger and what it has seen."""

    ledger_id: str
    created_at: str
    file_bytes: int
    lines: int
    reversals: int
    observations: int
    conflicts: int
    rollup_rows: int
    first_call_at: str | None
    last_call_at: str | None
    last_recorded_at: str | None
    cursors: dict[str, int]


def stats(ledger: Ledger) -> Stats:
    """Return the numbers of a ledger.

    Raises:
        StorageError: the file cannot be read.
    """
    with ledger.snapshot() as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        lines, first, last, recorded = connection.execute(
            "SELECT COUNT(*), MIN(occurred_at), MAX(occurred_at), MAX(recorded_at) FROM lines"
        ).fetchone()
        counts = [
            connection.execute(query).fetchone()[0]
            for query in (
                "SELECT COUNT(*) FROM lines WHERE reverses_seq IS NOT NULL",
                "SELECT COUNT(*) FROM observations",
                "SELECT COUNT(*) FROM conflicts",
                "SELECT COUNT(*) FROM hourly",
            )
        ]
        cursors = dict(connection.execute("SELECT name, position FROM cursors ORDER BY name").fetchall())
    reversals, observations, conflicts, rollup_rows = counts
    return Stats(
        ledger_id=meta["ledger_id"],
        created_at=meta["created_at"],
        file_bytes=ledger.path.stat().st_size,
        lines=lines,
        reversals=reversals,
        observations=observations,
        conflicts=conflicts,
        rollup_rows=rollup_rows,
        first_call_at=first,
        last_call_at=last,
        last_recorded_at=recorded,
        cursors=cursors,
    )
