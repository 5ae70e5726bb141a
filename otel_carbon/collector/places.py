"""Places as a table of the config: what one Wh of a factor set stands for there, and what a span says of the grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from otel_carbon.collector.hours import SLOTS, GridKeys, Hours
from otel_carbon.collector.ottl import Value
from otel_carbon.estimator.hourly import Hour, at_hour, without_hour
from otel_carbon.estimator.per_wh import per_wh
from otel_carbon.estimator.place import place_at
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import Boundary, FactorTables, GridFamily
from otel_carbon.factors.location import Hints, locate
from otel_carbon.factors.places import Location, at_cloud_region
from otel_carbon.factors.sites import CloudRegion
from otel_carbon.model import GridReading, Interval
from otel_carbon.model.interval import Z90
from otel_carbon.semconv.carbon import (
    OTEL_CARBON_GRID_INTENSITY_G_PER_KWH,
    OTEL_CARBON_GRID_PERIOD_START,
    OTEL_CARBON_GRID_QUALITY,
    OTEL_CARBON_GRID_SOURCE,
    OTEL_CARBON_GRID_ZONE,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_REGION_SOURCE,
)
from otel_carbon.spans import six_digits, utc_text

__all__ = ["PERIOD_MARKS", "PLACE_MARKS", "Places", "grids_of"]

PLACE_MARKS = (
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_GRID_ZONE,
    OTEL_CARBON_GRID_INTENSITY_G_PER_KWH,
    OTEL_CARBON_REGION_SOURCE,
)
"""What a place says on a span."""

PERIOD_MARKS = (OTEL_CARBON_GRID_SOURCE, OTEL_CARBON_GRID_PERIOD_START, OTEL_CARBON_GRID_QUALITY)
"""What it says as well where intensities by the hour are known."""


class Places:
    """Turns locations into values of a table, for one factor set's boundary and one publication of grid intensities.

    `hours` go before the average of a year, where a place is a single grid.
    """

    def __init__(
        self, tables: FactorTables, boundary: Boundary, family: GridFamily, hours: Hours | None = None
    ) -> None:
        self.tables = tables
        self.family = family
        self._hours = hours
        self._boundary = boundary
        self._settings = EstimatorSettings(grid=family.value)

    def at_region(self, region: CloudRegion) -> Mapping[str, Value]:
        """Return a cloud region."""
        location = at_cloud_region(self.tables, region, self.family)
        if self._hours is None:
            return self._values(location)
        periods = zip(SLOTS, self._hours.periods(location.grid_keys), strict=False)
        slots: dict[str, Value] = {slot: self._of_period(location, *period) for slot, period in periods}
        return {**self._values(without_hour(location)), **slots}

    def located(self, hints: Hints) -> Mapping[str, Value]:
        """Return the place that hints lead to."""
        return self._values(locate(self.tables, hints, self.family))

    def _values(self, location: Location) -> dict[str, Value]:
        place = place_at(self.tables, self._settings, location, water=False)
        one = per_wh(self._boundary, place, self.tables.constants)
        marks: dict[str, Value] = {
            OTEL_CARBON_REGION_NAME: location.region.name or "",
            OTEL_CARBON_REGION_SOURCE: location.region.source,
            OTEL_CARBON_GRID_ZONE: location.grid.zone or "",
            OTEL_CARBON_GRID_INTENSITY_G_PER_KWH: six_digits(location.grid.intensity_g_per_kwh or 0.0),
        }
        if location.grid.quality is not None:
            marks[OTEL_CARBON_GRID_QUALITY] = location.grid.quality
        spreads = _spread("e", one.energy_wh) | _spread("c", one.co2e_grams)
        return {"emb": one.co2e_embodied_grams.central, **spreads, "marks": marks}

    def _of_period(self, location: Location, reading: GridReading, until_unix_nano: int) -> Mapping[str, Value]:
        """Return a place with the grid of a period, and when that holds."""
        values = self._values(at_hour(self.tables, location, Hour(reading, covers=True)))
        marks = values["marks"]
        assert isinstance(marks, dict)
        marks[OTEL_CARBON_GRID_SOURCE] = reading.source_id
        marks[OTEL_CARBON_GRID_PERIOD_START] = utc_text(reading.start_unix_nano)
        return values | {"from": reading.start_unix_nano, "to": reading.end_unix_nano, "until": until_unix_nano}


def grids_of(tables: FactorTables, regions: Collection[str] | None) -> list[GridKeys]:
    """Return what the grids of cloud regions are known by; None: all regions."""
    rows = (row for cloud in tables.regions.values() for row in cloud.values())
    covered = (row for row in rows if regions is None or row.name in regions)
    return sorted({at_cloud_region(tables, row, GridFamily.ELECTRICITY_MAPS).grid_keys for row in covered})


def _spread(name: str, ratio: Interval) -> dict[str, Value]:
    """Return a quantity per Wh with its log distances to the bounds, below and above."""
    below, above = ratio.spread_below() * Z90, ratio.spread_above() * Z90
    return {name: ratio.central, f"{name}b": below, f"{name}a": above}
