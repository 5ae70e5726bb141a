"""Two instrumentations of one call, seen inside one process: the span that ends first counts."""

from __future__ import annotations

__all__ = ["AnsweredCalls"]

_GENERATION = 2048


class AnsweredCalls:
    """Remembers which answers were counted, by trace and `gen_ai.response.id`, the latest few thousand.

    A framework's span and a client's span of the same call end one after the other, the inner one first. It is the
    one with the provider's own counts, so the outer one is the duplicate. This is best effort: only the ledger sees
    spans of other processes and of other traces.

    Safe to share between threads and with a forked child: it has no lock, and every step is one dictionary operation.
    """

    def __init__(self, generation: int = _GENERATION) -> None:
        self._generation = generation
        self._recent: dict[tuple[int, str], int] = {}
        self._older: dict[tuple[int, str], int] = {}

    def repeats(self, trace_id: int, response_id: str, started_unix_nano: int) -> bool:
        """Return whether this answer was counted on a span that this one overlaps in time.

        Spans that follow each other are two calls, whatever their ids say: some servers give every answer the same.
        """
        answer = (trace_id, response_id)
        ended_unix_nano = self._recent.get(answer) or self._older.get(answer)
        return ended_unix_nano is not None and started_unix_nano <= ended_unix_nano

    def add(self, trace_id: int, response_id: str, ended_unix_nano: int) -> None:
        """Remember that this answer was counted. What is oldest is forgotten."""
        if len(self._recent) >= self._generation:
            self._older, self._recent = self._recent, {}
        self._recent[trace_id, response_id] = ended_unix_nano
