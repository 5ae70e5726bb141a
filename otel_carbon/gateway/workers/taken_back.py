"""What ledgers took back, told by workers that may be killed between the ledger's transaction and the telling."""

from __future__ import annotations

from collections.abc import Sequence

from otel_carbon.ledger.taken_back import reversals_of_text, reversals_text
from otel_carbon.model import Reversal

__all__ = ["TakenBack", "ToldBack", "as_told"]

ToldBack = tuple[str, int, str | None, bool]
"""Name and position of a ledger's cursor, the reversals of the transaction that moved it there, and whether a worker
tells it at its start."""


def as_told(cursor: str, position: int, reversals: Sequence[Reversal], *, at_start: bool) -> ToldBack:
    """Return what is told, in plain values."""
    return cursor, position, reversals_text(reversals), at_start


class TakenBack:
    """Knows how far each ledger's cursor was told.

    A cursor's transactions follow one another, each is told before the next begins, and at its start a worker tells
    the last one again, which the ledger keeps. So each comes at least once; here it is taken once.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def new(self, told: ToldBack) -> tuple[Reversal, ...]:
        """Return the reversals that were not told before.

        What a worker tells when it starts with the supervisor was taken back from counters that are gone.
        """
        cursor, position, text, at_start = told
        known = self._positions.get(cursor)
        self._positions[cursor] = max(position, known or 0)
        is_old = at_start if known is None else position <= known
        return () if is_old else reversals_of_text(text)
