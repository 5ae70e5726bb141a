"""Durations as the Collector writes them in YAML: `300ms`, `5s`, `1m30s`, `0`."""

from __future__ import annotations

import re

from otel_carbon.errors import ConfigError

__all__ = ["duration_s"]

_SECONDS_PER_UNIT = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST_S = 100 * 365 * 24 * 3600.0  # what clocks and timers hold, and no wait is meant to be longer
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def duration_s(text: str, key: str) -> float:
    """Return a duration in s.

    Raises:
        ConfigError: the text is not a duration, or it is beyond all use; the message names `key`.
    """
    written = text.strip()
    if written == "0":
        return 0.0
    parts = _PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise ConfigError(f"{key}: {text!r} is not a duration; write a number and a unit, as 300ms, 5s or 1m30s")
    found_s = sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)
    if found_s > _MOST_S:
        raise ConfigError(f"{key}: {text!r} is longer than 100 years; write a shorter one")
    return found_s
