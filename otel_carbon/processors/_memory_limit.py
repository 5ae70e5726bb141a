"""Whether there is too much in memory: measured at intervals, with the Collector's two limits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from otel_carbon.pipeline.memory import give_memory_back, resident_bytes

__all__ = ["MemoryLimit", "Thresholds"]

_LOG = logging.getLogger(__name__)
_MIB = 1 << 20
_EFFECTIVE = 0.95  # memory that does not fall to this by a collection is in use, and will not fall by another


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Sizes in bytes and times in s. From `soft_bytes` on data is refused."""

    hard_bytes: int
    soft_bytes: int
    check_interval_s: float
    min_gc_interval_soft_s: float
    min_gc_interval_hard_s: float
    max_gc_interval_soft_s: float
    max_gc_interval_hard_s: float


class MemoryLimit:
    """Looks at memory no more often than the interval, whenever it is asked. Thread-safe.

    Looking when asked needs no thread of its own: while nobody sends, nothing grows.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        clock: Callable[[], float] = time.monotonic,
        measure: Callable[[], int | None] = resident_bytes,
        collect: Callable[[], None] = give_memory_back,
    ) -> None:
        self._thresholds = thresholds
        self._clock = clock
        self._measure = measure
        self._collect = collect
        self._lock = threading.Lock()
        self._due_s = float("-inf")
        self._collected_s = float("-inf")
        self._soft_wait_s = self._hard_wait_s = 0.0
        self._refuses = False

    def refuses(self) -> bool:
        """Return whether data must be refused now."""
        now_s = self._clock()
        if now_s < self._due_s or not self._lock.acquire(blocking=False):
            return self._refuses  # measured a moment ago, or somebody is measuring
        try:
            self._due_s = now_s + self._thresholds.check_interval_s
            self._look(now_s)
        finally:
            self._lock.release()
        return self._refuses

    def _look(self, now_s: float) -> None:
        used_bytes = self._measure() or 0
        if used_bytes >= self._thresholds.soft_bytes and now_s - self._collected_s >= self._wait_s(used_bytes):
            used_bytes = self._after_collection(now_s, used_bytes)
        refuses = used_bytes >= self._thresholds.soft_bytes
        if refuses != self._refuses:
            self._tell(refuses, used_bytes)
        if not refuses:
            self._soft_wait_s = self._hard_wait_s = 0.0
        self._refuses = refuses

    def _wait_s(self, used_bytes: int) -> float:
        """Return how long to wait between two collections."""
        if used_bytes >= self._thresholds.hard_bytes:
            return max(self._thresholds.min_gc_interval_hard_s, self._hard_wait_s)
        return max(self._thresholds.min_gc_interval_soft_s, self._soft_wait_s)

    def _after_collection(self, now_s: float, before_bytes: int) -> int:
        self._collect()
        self._collected_s = now_s
        after_bytes = self._measure() or 0
        if after_bytes <= before_bytes * _EFFECTIVE:
            self._soft_wait_s = self._hard_wait_s = 0.0
        else:
            limits = self._thresholds
            self._soft_wait_s = self._longer(
                self._soft_wait_s, limits.min_gc_interval_soft_s, limits.max_gc_interval_soft_s
            )
            self._hard_wait_s = self._longer(
                self._hard_wait_s, limits.min_gc_interval_hard_s, limits.max_gc_interval_hard_s
            )
        return after_bytes

    def _longer(self, wait_s: float, min_s: float, max_s: float) -> float:
        """Return the next wait after a collection that freed nothing: twice as long, up to the longest."""
        if max_s == 0:
            return min_s
        return min(2 * max(wait_s, min_s, self._thresholds.check_interval_s), max(max_s, min_s))

    def _tell(self, refuses: bool, used_bytes: int) -> None:
        used_mib = used_bytes // _MIB
        if refuses:
            soft_mib = self._thresholds.soft_bytes // _MIB
            _LOG.warning(
                "memory usage of %d MiB is above the soft limit of %d MiB: data is refused", used_mib, soft_mib
            )
        else:
            _LOG.info("memory usage of %d MiB is within the limits again: data is taken", used_mib)
