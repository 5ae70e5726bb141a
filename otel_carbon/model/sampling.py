"""For how many calls a sampled one is counted."""

from __future__ import annotations

__all__ = ["MOST_CALLS_STOOD_FOR", "believed_count"]

MOST_CALLS_STOOD_FOR = 2.0**20
"""A sampling probability below 2^-20 is not believed.

At one call in a million a sampler would export less than a call a day of a service that answers ten a second, and a
single span with the threshold `ffffffffffffff` would stand for 7e16 calls: more than all other lines of any ledger.
"""


def believed_count(adjusted_count: float) -> float:
    """Return for how many calls one counts that claims to stand for so many: once where the claim is implausible."""
    return float(adjusted_count) if 1.0 <= adjusted_count <= MOST_CALLS_STOOD_FOR else 1.0
