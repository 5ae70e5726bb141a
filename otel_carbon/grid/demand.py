"""Which hours calls asked for and nobody had, and when each may be asked for again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

__all__ = ["Demand", "spans"]

_MOST = 20_000
_RECENT_WAIT_S = 300.0  # an hour is published some minutes after it began
_OLD_WAIT_S = 21_600.0
_PLACE_WAIT_S = 3600.0
_OLD_S = 86_400.0

_Period = tuple[str, int]


class Demand:
    """Periods that are wanted, by place and number since 1970. Bounded; safe for use by several threads."""

    def __init__(self, period_s: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock_s = clock_s
        self._changing = threading.Lock()
        self._wanted: dict[_Period, None] = {}
        self._not_before_s: dict[_Period, float] = {}

    def add(self, place: str, period: int) -> bool:
        """Want a period. Returns whether that is news: not wanted yet, and not just found to be missing."""
        key = (place, period)
        if key in self._wanted or self._not_before_s.get(key, 0.0) > self._clock_s():
            return False
        with self._changing:
            if len(self._wanted) >= _MOST:
                return False
            self._wanted[key] = None
        return True

    def is_empty(self) -> bool:
        """Return whether nothing is wanted."""
        return not self._wanted

    def take(self, now_unix_s: float) -> dict[str, list[int]]:
        """Return the wanted periods by place, in order. Those in the future are forgotten: nobody can have them."""
        running = int(now_unix_s) // self._period_s
        found: dict[str, list[int]] = {}
        with self._changing:
            for key in [key for key in self._wanted if key[1] > running]:
                del self._wanted[key]
                self._put_off(key, _RECENT_WAIT_S)
            for place, period in self._wanted:
                found.setdefault(place, []).append(period)
        return {place: sorted(periods) for place, periods in found.items()}

    def answered(self, place: str, periods: Iterable[int], missing: Iterable[int], now_unix_s: float) -> None:
        """Note that a source was asked for periods, and which of them it did not have."""
        with self._changing:
            for period in periods:
                self._wanted.pop((place, period), None)
                self._not_before_s.pop((place, period), None)
            for period in missing:
                age_s = now_unix_s - (period + 1) * self._period_s
                self._put_off((place, period), _OLD_WAIT_S if age_s > _OLD_S else _RECENT_WAIT_S)

    def refused(self, place: str, periods: Iterable[int]) -> None:
        """Note that a source has nothing for a place."""
        with self._changing:
            for period in periods:
                self._wanted.pop((place, period), None)
                self._put_off((place, period), _PLACE_WAIT_S)

    def _put_off(self, key: _Period, wait_s: float) -> None:
        if len(self._not_before_s) >= _MOST:
            self._not_before_s = {}
        self._not_before_s[key] = self._clock_s() + wait_s


def spans(periods: Sequence[int], most_periods: int) -> list[list[int]]:
    """Return ordered periods in groups that one request can ask for: from first to last at most so many apart."""
    groups: list[list[int]] = []
    for period in periods:
        if groups and period - groups[-1][0] < most_periods:
            groups[-1].append(period)
        else:
            groups.append([period])
    return groups
