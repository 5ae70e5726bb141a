"""How long entries wait for more to come, so that what a delivery costs it costs once."""

from __future__ import annotations

from collections.abc import Sequence

from otel_carbon.pipeline.component import JournalEntry

__all__ = ["still_to_wait_s"]


def still_to_wait_s(entries: Sequence[JournalEntry], now_unix_nano: int, longest_s: float) -> float:
    """Return how much longer the first entry should wait, in s; not at all where the clock was set back meanwhile."""
    waited_s = (now_unix_nano - entries[0].received_unix_nano) / 1e9
    return max(longest_s - waited_s, 0.0) if waited_s >= 0.0 else 0.0
