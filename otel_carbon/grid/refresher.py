"""Keeps the hours that calls need in memory. A look-up notes what is missing; a thread of its own fetches it."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from otel_carbon.errors import GridPlaceError, GridSourceError
from otel_carbon.grid.cache import ReadingCache
from otel_carbon.grid.demand import Demand, spans
from otel_carbon.grid.intensity import IntensityProvider
from otel_carbon.grid.series import SeriesStore
from otel_carbon.model import GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["GridRefresher"]

_log = logging.getLogger(__name__)

_MOST_PLACES = 4096
_GATHER_S = 0.05  # a batch of late spans asks for many hours at once: they become few requests
_FIRST_WAIT_S = 5.0
_LONGEST_BACK_OFF_S = 900.0
_AFTER_THE_HOUR_S = 60.0
_POLL_S = 300.0
_IDLE_S = 7200.0
_LEAST_WAIT_S = 1.0
_UNSEEN = ""


class GridRefresher:
    """A source of hourly intensities that never waits: what it does not have yet is on its way for the next call.

    Up to `max_gap_s` after the end of a period its figure stands in for the next one, marked as carried forward; then
    there is no figure. The thread starts with the first look-up that misses, ends when nothing was looked up for two
    hours, and starts again in a forked process.
    """

    def __init__(
        self,
        provider: IntensityProvider,
        *,
        cache: ReadingCache | None = None,
        max_gap_s: float = 3600.0,
        clock_ns: Callable[[], int] = time.time_ns,
        gather_s: float = _GATHER_S,
    ) -> None:
        self._provider = provider
        self._cache = cache
        self._clock_ns = clock_ns
        self._gather_s = gather_s
        self._max_gap_ns = int(max_gap_s * NANOSECONDS_PER_SECOND)
        self._period_ns = provider.period_s * NANOSECONDS_PER_SECOND
        self._store = SeriesStore()
        self._places: dict[tuple[str, ...], str | None] = {}
        self._touched: set[str] = set()
        self._failures = 0
        self._rest_until_s = 0.0
        self._warned: set[str] = set()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._new_threads()
        for place, reading in cache.load() if cache is not None else ():
            self._store.put(place, (reading,))
        _renew_after_fork(self)

    @property
    def source_id(self) -> str:
        """Return the id of the publication."""
        return self._provider.source_id

    def reading(self, grid_keys: tuple[str, ...], at_unix_nano: int) -> GridReading | None:
        """Return the figure of a grid for a time, if it is known; otherwise have it fetched for those who come next."""
        place = self._places.get(grid_keys, _UNSEEN)
        if place == _UNSEEN:
            place = self._new_place(grid_keys)
        if place is None:
            return None
        self._touched.add(place)
        found = self._store.find(place, at_unix_nano, self._max_gap_ns)
        if (found is None or at_unix_nano >= found.end_unix_nano) and not self._is_closed:
            if self._demand.add(place, at_unix_nano // self._period_ns):
                self._wake.set()
            if self._thread is None or not self._thread.is_alive():
                self._start()
        return found

    def refresh(self) -> None:
        """Fetch what is wanted, now and in this thread. For a program that wants to wait: a look-up never does."""
        with self._refreshing:
            now_unix_s = self._clock_ns() / NANOSECONDS_PER_SECOND
            self._want_running_period()
            fetched: list[tuple[str, GridReading]] = []
            for place, periods in self._demand.take(now_unix_s).items():
                for group in spans(periods, self._provider.longest_span_s // self._provider.period_s):
                    if self._is_closed or time.monotonic() < self._rest_until_s:
                        break
                    fetched += ((place, reading) for reading in self._fetch(place, group, now_unix_s))
            if fetched and self._cache is not None:
                self._cache.save(fetched)

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was looked up has been asked for. Returns False when the time was not enough."""
        deadline_s = time.monotonic() + timeout_s
        while not self._demand.is_empty() and time.monotonic() < deadline_s:
            self._settled.wait(0.01)
        return self._demand.is_empty()

    def close(self) -> None:
        """Fetch no more. A request that is under way is not waited for. Safe to call twice."""
        self._is_closed = True
        self._wake.set()

    def _new_place(self, grid_keys: tuple[str, ...]) -> str | None:
        place = self._provider.place(grid_keys)
        if len(self._places) < _MOST_PLACES:
            self._places[grid_keys] = place
        return place

    def _want_running_period(self) -> None:
        """Want the running period of every place that was looked up since the last time."""
        touched, self._touched = self._touched, set()
        now_unix_nano = self._clock_ns()
        for place in touched:
            if self._store.find(place, now_unix_nano) is None:
                self._demand.add(place, now_unix_nano // self._period_ns)

    def _fetch(self, place: str, periods: Sequence[int], now_unix_s: float) -> Sequence[GridReading]:
        period_s = self._provider.period_s
        try:
            found = self._provider.fetch(place, periods[0] * period_s, (periods[-1] + 1) * period_s)
        except GridPlaceError as error:
            self._warn(place, f"{self.source_id} has nothing for {place}: {error}")
            self._demand.refused(place, periods)
            return ()
        except GridSourceError as error:
            self._rest(error)
            return ()
        if self._failures:
            _log.info("%s answers again", self.source_id)
        self._failures = 0
        self._warned.clear()
        self._store.put(place, found)
        missing = [each for each in periods if self._store.find(place, each * self._period_ns) is None]
        self._demand.answered(place, periods, missing, now_unix_s)
        return found

    def _rest(self, error: GridSourceError) -> None:
        """Ask nothing for as long as the source wishes, else twice as long as the last time, up to 15 minutes."""
        self._failures += 1
        wait_s = error.retry_after_s
        if wait_s is None:
            longest_s = min(_FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_BACK_OFF_S)
            wait_s = longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - so that many processes do not come back at once
        self._rest_until_s = time.monotonic() + wait_s
        self._warn(
            "", f"{self.source_id} gave no intensities, next try in {wait_s:.0f} s, yearly ones until then: {error}"
        )

    def _warn(self, about: str, message: str) -> None:
        level = logging.DEBUG if about in self._warned else logging.WARNING
        self._warned.add(about)
        _log.log(level, "%s", message)

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another look-up does it
        try:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="otel-carbon-grid", daemon=True)
                self._thread.start()
        except RuntimeError as error:  # too many threads, or the interpreter is about to end
            self._warn("thread", f"{self.source_id} cannot be asked: {error}")
        finally:
            self._starting.release()

    def _run(self) -> None:
        idle_since_s = time.monotonic()
        while not self._is_closed and time.monotonic() - idle_since_s < _IDLE_S:
            self._wake.clear()
            time.sleep(self._gather_s)
            if self._touched or not self._demand.is_empty():
                idle_since_s = time.monotonic()
            self.refresh()
            self._settled.set()
            self._settled.clear()
            self._wake.wait(self._pause_s())
            resting_s = self._rest_until_s - time.monotonic()
            while resting_s > 0.0 and not self._is_closed:
                time.sleep(min(resting_s, 1.0))
                resting_s = self._rest_until_s - time.monotonic()

    def _pause_s(self) -> float:
        """Return how long to wait for a look-up that misses: until the next period has been published, at most.

        What a source gave no answer for is still wanted, so that a look-up of it is no news and would wake nobody.
        """
        if not self._demand.is_empty():
            return max(self._rest_until_s - time.monotonic(), _LEAST_WAIT_S)
        period_s = self._provider.period_s
        to_next_s = period_s - self._clock_ns() / NANOSECONDS_PER_SECOND % period_s
        return max(min(_POLL_S, to_next_s + _AFTER_THE_HOUR_S), _LEAST_WAIT_S)

    def _new_threads(self) -> None:
        self._store.renew_lock()
        self._demand = Demand(self._provider.period_s)
        self._wake = threading.Event()
        self._settled = threading.Event()
        self._starting = threading.Lock()
        self._refreshing = threading.Lock()
        self._thread = None


def _renew_after_fork(refresher: GridRefresher) -> None:
    reference = weakref.ref(refresher)

    def renew() -> None:
        living = reference()
        if living is not None:
            living._new_threads()  # noqa: SLF001 - locks and threads of the parent do not work in a child

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)
