"""Keeps a Collector's config at the newest hours: writes it anew when they change, and tells the Collector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from otel_carbon.cli.stop_signals import StopSignals
from otel_carbon.collector.hours import GridKeys, Hours, newest_readings
from otel_carbon.collector.telling import Telling
from otel_carbon.collector.whole_file import write_whole
from otel_carbon.errors import CarbonError
from otel_carbon.estimator import IntensitySource
from otel_carbon.grid.followed import FollowedSource
from otel_carbon.model import GridReading

__all__ = ["Watch", "until_stopped"]

_LOG = logging.getLogger(__name__)
_SETTLE_S = 30.0


class Watch:
    """One file, one source, one Collector. `generate` gives the config for what is known of the grids."""

    def __init__(  # noqa: PLR0917 - each is a part that is put together once
        self,
        source: FollowedSource,
        grids: Sequence[GridKeys],
        generate: Callable[[Hours], str],
        output: Path,
        telling: Telling,
        clock_ns: Callable[[], int],
    ) -> None:
        self._source = source
        self._grids = grids
        self._generate = generate
        self._output = output
        self._telling = telling
        self._clock_ns = clock_ns
        self._known: dict[GridKeys, tuple[GridReading, ...]] = {}
        self._written: Hours | None = None
        self._is_untold = False
        self._problem = ""

    def hours(self, is_over: Callable[[], bool] = lambda: False) -> Hours:
        """Return the newest hours. What a grid had stays until it has something newer.

        Raises:
            ConfigError: the file of the source cannot be used.
        """
        source = self._source.current()
        self._source.settle(self._look_up, _SETTLE_S, is_over)
        self._known |= self._look_up(source)
        return Hours(self._source.source_id, self._source.max_gap_ns, dict(self._known))

    def write(self, hours: Hours) -> None:
        """Write the config where the hours are others than before.

        Raises:
            CarbonError: the file cannot be written.
        """
        if hours == self._written:
            return
        if write_whole(self._output, self._generate(hours)):
            self._is_untold = True
            known = f"{len(hours.by_grid)} of {len(self._grids)} grids"
            _LOG.info("%s written with hours of %s for %s", self._output, hours.source_id, known)
        self._written = hours

    def tell(self) -> None:
        """Tell the Collector, if the file is another since it was told.

        Raises:
            CarbonError: it cannot be told; that is tried again when this is called again.
        """
        if self._is_untold:
            told = self._telling.tell()
            self._is_untold = False
            if told:
                _LOG.info("%s", told)

    def look(self, is_over: Callable[[], bool]) -> None:
        """Do all of it, and log what is in the way, once: a file that cannot be written anew stays as it was."""
        problem, state = "", "not up to date"
        try:
            self.write(self.hours(is_over))
            state = "written, but its Collector does not know"
            self.tell()
        except CarbonError as error:
            problem = f"{state}: {error}"
        if problem and problem != self._problem:
            _LOG.error("%s: %s", self._output, problem)
        elif self._problem and not problem:
            _LOG.info("%s: up to date again", self._output)
        self._problem = problem

    def _look_up(self, source: IntensitySource) -> dict[GridKeys, tuple[GridReading, ...]]:
        return newest_readings(source, self._grids, self._clock_ns())


def until_stopped(watch: Watch, interval_s: float) -> None:
    """Keep a file up to date until SIGTERM or SIGINT, which never cut a write short.

    Raises:
        CarbonError: what is wrong at the start is the user's to mend, as without `--watch`.
    """
    with StopSignals() as signals:
        watch.write(watch.hours(signals.wait))
        watch.look(signals.wait)
        while not signals.wait(interval_s):
            watch.look(signals.wait)
