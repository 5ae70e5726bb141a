"""Outcomes that this process has put on spans: which of them a ledger may take as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from otel_carbon.estimator import Estimator
from otel_carbon.model import Call, Footprint, Mark, Outcome
from otel_carbon.spans import mark_attributes, read_mark

__all__ = ["MarkedOutcomes", "mark_of"]

_MOST_KINDS = 4096


class MarkedOutcomes:
    """Knows what recomputing the mark of an outcome gives, so that a line is the same whether its span is read again.

    Calls of one kind share everything but their counts, and an estimator gives them the same objects, so each kind is
    recomputed once. Not thread-safe.
    """

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self._known: dict[tuple[Any, ...], tuple[tuple[str, ...] | None, Footprint]] = {}

    def notes(self, call: Call, outcome: Footprint) -> tuple[str, ...] | None:
        """Return the notes of the recomputed outcome; None where more than the notes is different.

        A mark has neither notes nor more than six digits of an intensity, nor which settings chose a place.
        """
        key = (
            id(outcome.factor),
            id(outcome.region),
            id(outcome.grid),
            outcome.notes,
            call.provider,
            call.model,
            call.request_model,
            call.region,
            call.server_address,
            call.caller_region,
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KINDS:
                self._known.clear()
            # With the outcome, whose parts then keep their ids.
            known = self._known[key] = (self._recomputed_notes(call, outcome), outcome)
        return known[0]

    def _recomputed_notes(self, call: Call, outcome: Footprint) -> tuple[str, ...] | None:
        mark = mark_of(outcome)
        again = None if mark is None else self._estimator.recompute(call, mark)
        if not isinstance(again, Footprint):
            return None
        return again.notes if replace(again, notes=outcome.notes) == outcome else None


def mark_of(outcome: Outcome) -> Mark | None:
    """Return the mark that reading a span with this outcome on it gives."""
    return read_mark(mark_attributes(outcome))
