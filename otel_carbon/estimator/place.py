"""The place that a call is accounted at: what was found out, under what the user says."""

from __future__ import annotations

from dataclasses import replace

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.per_wh import Place
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.factors.constants import times_divided
from otel_carbon.factors.places import Location, at_cloud_region, cloud_region, find_zone
from otel_carbon.factors.suggest import did_you_mean
from otel_carbon.model import Grid, Interval, Region

__all__ = ["at_zone", "check_place_settings", "place_at", "with_user_settings"]


def check_place_settings(tables: FactorTables, settings: EstimatorSettings) -> None:
    """Refuse a region or a zone that no table knows, before the first call does.

    Raises:
        ConfigError: the region or zone is not known; the message names the nearest ones.
    """
    if settings.region is not None and cloud_region(tables, settings.region, None) is None:
        known = {name for regions in tables.regions.values() for name in regions}
        raise ConfigError(f"region: unknown cloud region {settings.region!r}; {did_you_mean(settings.region, known)}")
    if settings.zone is not None and find_zone(tables, settings.zone) is None:
        known = {zone for family in GridFamily for zone in tables.grid(family)}
        raise ConfigError(f"zone: unknown grid zone {settings.zone!r}; {did_you_mean(settings.zone, known)}")


def with_user_settings(
    tables: FactorTables, settings: EstimatorSettings, found: Location, provider: str | None
) -> Location:
    """Return a location with what the user configured put in place of what was found."""
    location = found
    if settings.region is not None:
        region = cloud_region(tables, settings.region, provider)
        if region is not None:
            location = at_cloud_region(tables, region, GridFamily(settings.grid))
            location = replace(location, region=Region(region.name, "user"))
    grid = None if settings.zone is None else find_zone(tables, settings.zone)
    if grid is not None:
        location = at_zone(tables, location, grid)
        if settings.region is None:
            location = replace(location, region=Region(grid.zone, "user"))
    if settings.grid_intensity_g_per_kwh is not None:
        g_per_kwh = settings.grid_intensity_g_per_kwh
        location = replace(
            location,
            region=Region(location.region.name, "user"),
            grid=Grid(location.grid.zone, g_per_kwh, "user"),
            intensity_g_per_kwh=Interval.exact(g_per_kwh),
            grid_keys=(),
        )
    return location


def at_zone(tables: FactorTables, location: Location, grid: Grid) -> Location:
    """Return a location on another grid."""
    intensity = times_divided(grid.intensity_g_per_kwh or 0.0, tables.constants.known_zone_factor)
    zone = grid.zone or ""
    return replace(location, grid=grid, intensity_g_per_kwh=intensity, water_zone=zone, grid_keys=(zone,))


def place_at(tables: FactorTables, settings: EstimatorSettings, location: Location, *, water: bool) -> Place:
    """Return grid, PUE and water of a location; a PUE or WUE of the user's own has no width."""
    pue_ratio, wue = settings.pue_ratio, settings.wue_l_per_it_kwh
    return Place(
        intensity_g_per_kwh=location.intensity_g_per_kwh,
        pue_ratio=location.pue_ratio if pue_ratio is None else Interval.exact(pue_ratio),
        wue_onsite_l_per_it_kwh=location.wue_onsite_l_per_it_kwh if wue is None else Interval.exact(wue),
        wue_offsite_l_per_kwh=_offsite_water_l_per_kwh(tables, location) if water else None,
    )


def _offsite_water_l_per_kwh(tables: FactorTables, location: Location) -> Interval:
    by_zone = tables.offsite_water_l_per_kwh
    country = location.water_zone.partition("-")[0]
    central = by_zone.get(location.water_zone, by_zone.get(country, location.wue_offsite_fallback_l_per_kwh))
    return times_divided(central, tables.constants.offsite_water_spread_ratio)
