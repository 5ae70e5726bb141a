"""What came of recording a batch."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.model import Reversal

__all__ = ["Recorded"]


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
