"""Grid intensities by the hour: which a config carries, and the statements that choose one by the time of the span.

OTTL reads no files, so that a config carries what is known when it is written: for every place the newest period and
the one before it. Each has its own times beside it: a file that is not written anew in time falls back to the average
of a year, and says so on the span, instead of using an old figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from otel_carbon.collector.ottl import cache, put, text
from otel_carbon.estimator import IntensitySource
from otel_carbon.estimator.hourly import CARRIED_FORWARD
from otel_carbon.model import GridReading
from otel_carbon.semconv.carbon import OTEL_CARBON_GRID_QUALITY

__all__ = ["SLOTS", "GridKeys", "Hours", "hour_statements", "newest_readings"]

GridKeys = tuple[str, ...]
"""What one grid is known by, best first: `aws:eu-west-1`, `IE`."""

SLOTS = ("newest", "earlier")
"""Where a place in the cache keeps its periods."""

_PLACE, _HOUR = cache("place"), cache("hour")
_QUALITY = f'{_HOUR}["marks"]["{OTEL_CARBON_GRID_QUALITY}"]'


@dataclass(frozen=True, slots=True)
class Hours:
    """What a source of hourly intensities knows: for every grid its newest readings, the newest one first."""

    source_id: str
    max_gap_ns: int
    """How long after its end a period's figure stands in for what is not known."""
    by_grid: Mapping[GridKeys, tuple[GridReading, ...]]

    def periods(self, grid_keys: GridKeys) -> Iterator[tuple[GridReading, int]]:
        """Yield the readings of a grid, each with the first moment for which it is not used any more."""
        later_start_unix_nano = None
        for reading in self.by_grid.get(grid_keys, ()):
            until_unix_nano = reading.end_unix_nano + self.max_gap_ns
            yield reading, min(until_unix_nano, later_start_unix_nano or until_unix_nano)
            later_start_unix_nano = reading.start_unix_nano


def newest_readings(
    source: IntensitySource, grids: Iterable[GridKeys], at_unix_nano: int
) -> dict[GridKeys, tuple[GridReading, ...]]:
    """Return what a source knows of grids at a time: the newest reading, and the one before it. A look-up waits not."""
    found: dict[GridKeys, tuple[GridReading, ...]] = {}
    for grid_keys in grids:
        newest = source.reading(grid_keys, at_unix_nano)
        if newest is not None:
            earlier = source.reading(grid_keys, newest.start_unix_nano - 1)
            found[grid_keys] = (newest,) if earlier is None else (newest, earlier)
    return found


def hour_statements() -> Iterator[str]:
    """Yield the statements that put the period of the span's start in place of the average, where there is one."""
    start = "span.start_time_unix_nano"
    for name in SLOTS:
        slot = f'{_PLACE}["{name}"]'
        began = [f'{start} >= {slot}["from"]', f'{start} < {slot}["until"]']
        yield put(_HOUR, slot, f"{slot} != nil", *began)
    yield put(_QUALITY, text(CARRIED_FORWARD), f"{_HOUR} != nil", f'{start} >= {_HOUR}["to"]')
    yield put(_PLACE, _HOUR, f"{_HOUR} != nil")
