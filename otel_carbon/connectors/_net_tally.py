"""Sums from which a call is taken back once, however many ledgers do not count it."""

from __future__ import annotations

from collections.abc import Sequence

from otel_carbon.connectors._memo import SpanMemo
from otel_carbon.model import Reversal
from otel_carbon.pipeline.tally import Tally

__all__ = ["NetTally"]


class NetTally(Tally):
    """A tally for the one count of a span that several ledgers may get.

    Each of them finds out by itself that another span of the same call counts, and says so.
    """

    def __init__(
        self, cardinality_limit: int, attribute_limit: int, parties: Sequence[str], remembered_spans: int
    ) -> None:
        super().__init__(cardinality_limit, attribute_limit, tuple(parties))
        self._taken_back = SpanMemo(remembered_spans)

    def add_reversed(self, taken: Reversal) -> None:
        """Add what a ledger took back, unless another one has said so."""
        if not taken.span or self._taken_back.add(bytes.fromhex(taken.span)):
            super().add_reversed(taken)
