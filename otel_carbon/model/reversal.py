"""What was counted and does not count any more."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.model.sighting import Attribution

__all__ = ["Reversal"]

_NOBODY = Attribution()


@dataclass(frozen=True, slots=True)
class Reversal:
    """Calls that some stage has counted and the ledger does not: another span of the same call counts.

    `attributes` are those of the stage's measurement, sorted by key. A quantity that was not measured is zero.
    """

    attributes: tuple[tuple[str, str], ...]
    calls: float = 0.0
    co2e_grams: float = 0.0
    energy_wh: float = 0.0
    attribution: Attribution = _NOBODY
    """Who it was accounted to."""
    span: str = ""
    """Trace id and span id of the call, in hexadecimal; empty where they are not known."""
