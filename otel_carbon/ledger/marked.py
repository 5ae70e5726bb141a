"""Outcomes that this process has put on spans: which of them a ledger may take as they are."""

from __future__ import annotations

from otel_carbon.model import Footprint, Mark, Outcome
from otel_carbon.spans import mark_attributes, read_mark

__all__ = ["is_what_its_mark_gives", "mark_of"]

_BY_SETTINGS = "user"


def is_what_its_mark_gives(outcome: Outcome) -> bool:
    """Return whether recomputing the mark of this outcome gives the outcome itself, to the last bit.

    Notes are not part of a mark, nor are an intensity beyond six digits and the settings that chose a place. So that a
    line is the same whether its span was read again or not, such an outcome must be computed from its mark.
    """
    if not isinstance(outcome, Footprint):
        return True
    grid = outcome.grid
    if outcome.notes or outcome.region.source == _BY_SETTINGS:
        return False
    if grid.period_start_unix_nano is not None or grid.quality is not None:
        return False
    intensity = grid.intensity_g_per_kwh
    return intensity is None or float(f"{intensity:.6g}") == intensity


def mark_of(outcome: Outcome) -> Mark | None:
    """Return the mark that reading a span with this outcome on it gives."""
    return read_mark(mark_attributes(outcome))
