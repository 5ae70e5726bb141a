"""What came of recording a batch."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.model import Attribution

__all__ = ["Recorded", "Reversal"]

_NOBODY = Attribution()


@dataclass(frozen=True, slots=True)
class Reversal:
    """Emissions, in g, that some stage has counted and the ledger does not: the other span of the same call counts.

    `attributes` are those of the stage's measurement, sorted by key.
    """

    attributes: tuple[tuple[str, str], ...]
    co2e_grams: float
    attribution: Attribution = _NOBODY
    """Who it was accounted to."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How the spans of one batch came out. Every span is in exactly one of the counts but `replaced`."""

    counted: int = 0
    """New lines of kind call."""
    duplicates: int = 0
    """Spans of a call for which another span counts."""
    failed: int = 0
    """Calls that failed without usage."""
    parents: int = 0
    """Agents, chains, tools: seen, not counted."""
    replayed: int = 0
    """Spans that were recorded before."""
    conflicts: int = 0
    """Spans that were recorded before with different content; the first one stays."""
    replaced: int = 0
    """Lines taken back because a better span of the same call came later."""
    reversals: tuple[Reversal, ...] = ()
