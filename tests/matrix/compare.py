"""What two books say about each case, against what the provider served."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "Seen", "counted", "served", "verdict"]

KINDS = ("input", "output", "cache_read", "cache_write", "reasoning")
_SHARES = KINDS[2:]
_COLUMNS = ", ".join(f"COALESCE({kind}_tokens, 0)" for kind in KINDS)
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """Calls with tokens, calls without, and the tokens by kind, in the order of `KINDS`."""

    calls: float = 0.0
    without_usage: float = 0.0
    tokens: tuple[int, ...] = (0,) * len(KINDS)

    def __add__(self, other: Seen) -> Seen:
        tokens = tuple(mine + theirs for mine, theirs in zip(self.tokens, other.tokens, strict=True))
        return Seen(self.calls + other.calls, self.without_usage + other.without_usage, tokens)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        calls = {"calls": round(self.calls, 6), "without_usage": round(self.without_usage, 6)}
        return {**calls, **dict(zip(KINDS, self.tokens, strict=True))}


def served(requests: Iterable[dict[str, Any]], started: int, ended: int) -> Seen:
    """Return the calls that the provider answered in a period."""
    total = Seen()
    for request in requests:
        if started <= request["arrived_unix_nano"] <= ended and request["status"] == 200:
            total += Seen(1.0, 0.0, tuple(request[kind] for kind in KINDS))
    return total


def counted(ledger: Path, service: str, started: int, ended: int) -> Seen:
    """Return the calls of a service that a ledger counts in a period."""
    total = Seen()
    if not ledger.exists():
        return total
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            f"SELECT occurred_at, calls, status, {_COLUMNS} FROM lines WHERE service = ?",
            (service,),
        ).fetchall()
    for occurred_at, calls, status, *tokens in rows:
        # A line has microseconds; a case begins and ends at nanoseconds.
        if started // 1000 <= _micros(occurred_at) <= ended // 1000:
            total += Seen(0.0, calls) if status == "no_usage" else Seen(calls, 0.0, tuple(tokens))
    return total


def verdict(truth: Seen, book: Seen) -> str:
    """Return `exact`, `shares` (calls, input and output exact, cached or reasoning tokens missing), `under`, `over`."""
    all_calls = book.calls + book.without_usage
    if all_calls > truth.calls or any(mine > theirs for mine, theirs in zip(book.tokens, truth.tokens, strict=True)):
        return "over"
    if (book.calls, book.tokens[:2]) != (truth.calls, truth.tokens[:2]):
        return "under"
    return "exact" if book.tokens == truth.tokens else "shares"


def _micros(occurred_at: str) -> int:
    moment = datetime.fromisoformat(occurred_at)
    return round(moment.timestamp() * 1_000_000)
