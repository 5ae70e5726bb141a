"""How many spans a sampled one stands for."""

from __future__ import annotations

from string import hexdigits
from typing import Any

__all__ = ["adjusted_count"]

_DIGITS = 14  # 56 bits of randomness
_THRESHOLDS = 1 << 56
_LOWER_HEX = frozenset(hexdigits.lower())


def adjusted_count(trace_state: Any) -> float:
    """Return how many spans one with this W3C `tracestate` stands for, 1.0 where it does not say.

    With the rejection threshold T of `ot=th:` (hexadecimal, trailing zeros left out) a span is kept with probability
    1 - T / 2^56, so it counts 2^56 / (2^56 - T). Source: OpenTelemetry, "TraceState: Probability Sampling".
    """
    if not isinstance(trace_state, str) or "th:" not in trace_state:
        return 1.0
    for member in trace_state.split(","):
        vendor, _, value = member.strip().partition("=")
        if vendor != "ot":
            continue
        for item in value.split(";"):
            key, _, threshold = item.partition(":")
            if key == "th":
                return _from_threshold(threshold)
    return 1.0


def _from_threshold(threshold: str) -> float:
    if not 1 <= len(threshold) <= _DIGITS or not _LOWER_HEX.issuperset(threshold):
        return 1.0
    return _THRESHOLDS / (_THRESHOLDS - int(threshold.ljust(_DIGITS, "0"), 16))
