"""Two instrumentations of one call, seen inside one process: the span that ends first counts."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AnsweredCalls", "AnsweredSpan"]

_GENERATION = 2048


class AnsweredSpan(NamedTuple):
    """What tells whether two spans with the same `gen_ai.response.id` are one call."""

    span_id: int
    parent_span_id: int | None
    scope: str | None
    started_unix_nano: int
    ended_unix_nano: int


class AnsweredCalls:
    """Remembers which answers were counted, by `gen_ai.response.id`, the latest few thousand.

    A framework's span and a client's span of the same call end one after the other, the inner one first. It is the
    one with the provider's own counts, so the outer one is the duplicate. This is best effort: only the ledger sees
    spans of other processes.

    Safe to share between threads and with a forked child: it has no lock, and every step is one dictionary operation.
    """

    def __init__(self, generation: int = _GENERATION) -> None:
        self._generation = generation
        self._recent: dict[str, AnsweredSpan] = {}
        self._older: dict[str, AnsweredSpan] = {}

    def repeats(self, response_id: str, span: AnsweredSpan) -> bool:
        """Return whether this answer was counted on a span that overlaps this one, of another library or inside it.

        Time and library matter because some servers give every answer the same id.
        """
        counted = self._recent.get(response_id) or self._older.get(response_id)
        if counted is None or span.started_unix_nano > counted.ended_unix_nano:
            return False
        return counted.scope != span.scope or counted.parent_span_id == span.span_id

    def add(self, response_id: str, span: AnsweredSpan) -> None:
        """Remember that this answer was counted. What is oldest is forgotten."""
        if len(self._recent) >= self._generation:
            self._older, self._recent = self._recent, {}
        self._recent[response_id] = span
