"""The grid by the hour: what a source of hourly intensities must be able to do, and what its figure changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from otel_carbon.factors import FactorTables
from otel_carbon.factors.constants import times_divided
from otel_carbon.factors.places import Location
from otel_carbon.model import Grid, GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = [
    "CARRIED_FORWARD",
    "ESTIMATED",
    "MEASURED",
    "YEARLY",
    "Hour",
    "IntensitySource",
    "at_hour",
    "on_recorded_grid",
    "reading_of",
    "without_hour",
]

MEASURED = "measured"
ESTIMATED = "estimated"
CARRIED_FORWARD = "carried_forward"
YEARLY = "yearly"

_NO_HOUR = "no hourly grid intensity was known when this was estimated: the average of a year is used"


class IntensitySource(Protocol):
    """Knows grid intensities by the hour."""

    def reading(self, grid_keys: tuple[str, ...], at_unix_nano: int) -> GridReading | None:
        """Return the figure of a grid for a time, or that of a period shortly before it; None: not known (yet).

        `grid_keys` name one grid, best first: a cloud region (`aws:eu-west-1`) and a zone (`IE`). Called while a span
        ends: must not wait for anything and must not raise.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hour:
    """What a source said of the hour of a call. `covers`: the period is that of the call, not one before it."""

    reading: GridReading | None
    covers: bool


def reading_of(
    source: IntensitySource, grid_keys: tuple[str, ...], at_unix_nano: int | None
) -> tuple[GridReading | None, bool]:
    """Return what a source knows of the time of a call, and whether it is the figure of that very period."""
    if at_unix_nano is None:
        return None, False
    found = source.reading(grid_keys, at_unix_nano)
    return found, found is not None and found.start_unix_nano <= at_unix_nano < found.end_unix_nano


def at_hour(tables: FactorTables, location: Location, hour: Hour) -> Location:
    """Return a place with its grid as it was in an hour; without a figure the yearly one stays, and a note says so."""
    reading = hour.reading
    if reading is None:
        return without_hour(location)
    measured = ESTIMATED if reading.is_estimated else MEASURED
    quality = measured if hour.covers else CARRIED_FORWARD
    grid = Grid(reading.zone, reading.g_per_kwh, reading.source_id, reading.start_unix_nano, quality)
    return on_recorded_grid(tables, location, grid)


def without_hour(location: Location) -> Location:
    """Return a place for which an hour was asked for and none was known: on its yearly figure, and saying so."""
    return replace(location, grid=replace(location.grid, quality=YEARLY), notes=(*location.notes, _NO_HOUR))


def on_recorded_grid(tables: FactorTables, location: Location, grid: Grid) -> Location:
    """Return a place on a grid whose intensity is that of an hour.

    Bounds are those of every known zone: what publications disagree in (emission factors, imports, losses) is the same
    in each hour.
    """
    intensity = times_divided(grid.intensity_g_per_kwh or 0.0, tables.constants.known_zone_factor)
    return replace(location, grid=grid, intensity_g_per_kwh=intensity, notes=(*location.notes, _note(grid)))


def _note(grid: Grid) -> str:
    start_unix_s = (grid.period_start_unix_nano or 0) // NANOSECONDS_PER_SECOND
    start = f"{datetime.fromtimestamp(start_unix_s, UTC):%Y-%m-%dT%H:%MZ}"
    if grid.quality == CARRIED_FORWARD:
        return f"grid intensity of the period from {start}, the last one known before the call"
    estimated = ", estimated by its source" if grid.quality == ESTIMATED else ""
    return f"grid intensity of the period from {start}{estimated}"
