"""When a call began and how long it took, as its span tells."""

from __future__ import annotations

from otel_carbon.spans.emitter import Get
from otel_carbon.spans.rules import StreamLog
from otel_carbon.units import nanoseconds_from_seconds, seconds_from_nanoseconds

__all__ = ["latency_s", "stream_start"]

_LONGEST_STREAM_S = 86_400


def latency_s(started_unix_nano: int, ended_unix_nano: int) -> float | None:
    """Return how long a call took, in s, where its times tell."""
    if 0 < started_unix_nano < ended_unix_nano:
        return seconds_from_nanoseconds(ended_unix_nano - started_unix_nano)
    return None


def stream_start(get: Get, log: StreamLog | None, ended_unix_nano: int) -> int:
    """Return when a stream began, given when it ended and the span that says how long it took."""
    duration_s = None if log is None else get(log.duration_s)
    if not isinstance(duration_s, int | float) or not 0 < duration_s < _LONGEST_STREAM_S:
        return ended_unix_nano
    return max(ended_unix_nano - nanoseconds_from_seconds(duration_s), 0)
