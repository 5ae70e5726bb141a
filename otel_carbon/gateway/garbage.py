"""How often Python looks for reference cycles while a gateway runs."""

from __future__ import annotations

import gc

__all__ = ["collect_garbage_rarely"]


def collect_garbage_rarely() -> None:
    """Let Python look for reference cycles less often; call it once everything is built.

    What flows through is freed without that search; by default it runs after every 700 objects, and costs a quarter of
    the CPU where every span is a call.
    """
    gc.freeze()  # tables and code stay
    gc.set_threshold(50_000, 20, 20)
