"""Times as the ledger writes them: ISO 8601, UTC, microseconds, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["next_time", "utc_text", "utc_text_of_nanoseconds"]

_NANOSECONDS_PER_SECOND = 1_000_000_000


def utc_text(moment: datetime) -> str:
    """Return a moment as the ledger writes it: `2026-11-23T20:00:00.000000Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def utc_text_of_nanoseconds(unix_nano: int) -> str:
    """Return a time in ns since 1970 as the ledger writes it."""
    second, rest = divmod(unix_nano, _NANOSECONDS_PER_SECOND)
    return f"{_second_text(second)}.{rest // 1000:06d}Z"


def next_time(now: str, last: str | None) -> str:
    """Return `now`, or the moment after `last` where the clock has not moved on.

    So every transaction has a time of its own, later than all before it, and "as of" names one state of the ledger.
    """
    if last is None or now > last:
        return now
    after = datetime.fromisoformat(last) + timedelta(microseconds=1)
    return utc_text(after)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
