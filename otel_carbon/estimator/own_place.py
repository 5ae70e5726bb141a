"""Places of factor sets that bring their own: emissions that include the grid, regions and providers of the set."""

from __future__ import annotations

import math
from dataclasses import replace

from otel_carbon.estimator.amounts import includes_place
from otel_carbon.estimator.parametric import between
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import FactorRow, FactorSet
from otel_carbon.factors.lca import LcaModel, LcaProvider, LcaTables, Mix
from otel_carbon.factors.places import Location
from otel_carbon.model import Grid, Interval, Region

__all__ = ["FACTOR_REGION", "place_of_set", "recorded_lca_place"]

FACTOR_INCLUDED = "factor_included"
FACTOR_REGION = "factor_region"
FACTOR_PROVIDER = "factor_provider"
_MIX_SOURCE_ID = "ember-owid-2025-via-ecologits"
_WORLD = "WOR"
_ROUNDED = 1e-5  # a mark has six significant digits
_NAMED = frozenset({"user", "cloud_region"})


def place_of_set(settings: EstimatorSettings, factor_set: FactorSet, row: FactorRow, found: Location) -> Location:
    """Return the place that a row is accounted at, where its set has something to say about that."""
    if includes_place(factor_set, row.published):
        nowhere = Grid(None, None, None)
        return replace(found, region=Region(None, FACTOR_INCLUDED), grid=nowhere, notes=(), grid_keys=())
    if factor_set.lca is not None and row.lca is not None:
        return _lca_place(settings, factor_set.lca, row.lca, found)
    return _at_set_region(factor_set, found)


def recorded_lca_place(
    lca: LcaTables, row: LcaModel, found: Location, region: Region | None, grid: Grid | None
) -> Location:
    """Return the place of a call that a parametric set estimated elsewhere, as its mark recorded it."""
    provider = lca.providers[row.provider]
    mix = _mix(lca, provider.zone if grid is None else grid.zone or "", provider)
    recorded_g_per_kwh = None if grid is None else grid.intensity_g_per_kwh
    if recorded_g_per_kwh is not None and math.isclose(recorded_g_per_kwh, mix.g_per_kwh, rel_tol=_ROUNDED):
        recorded_g_per_kwh = None
    return _with_mix(found, provider, mix, region or Region(mix.zone, FACTOR_PROVIDER), recorded_g_per_kwh)


def _lca_place(settings: EstimatorSettings, lca: LcaTables, row: LcaModel, found: Location) -> Location:
    """Return the country that the call or the user names, else that of the provider, with the mix of the set."""
    provider = lca.providers[row.provider]
    named = found.region.source in _NAMED and bool(found.water_zone)
    mix = _mix(lca, found.water_zone if named else provider.zone, provider)
    given_g_per_kwh = settings.grid_intensity_g_per_kwh
    region = found.region if named or given_g_per_kwh is not None else Region(mix.zone, FACTOR_PROVIDER)
    return _with_mix(found if named else replace(found, notes=()), provider, mix, region, given_g_per_kwh)


def _mix(lca: LcaTables, zone: str, provider: LcaProvider) -> Mix:
    """Return the mix of a country, by its own code or that of a grid zone in it, else that of the provider."""
    country = zone.partition("-")[0]
    return lca.mixes.get(zone) or lca.mixes.get(country) or lca.mixes.get(provider.zone, lca.mixes[_WORLD])


def _with_mix(
    found: Location, provider: LcaProvider, mix: Mix, region: Region, given_g_per_kwh: float | None
) -> Location:
    g_per_kwh = mix.g_per_kwh if given_g_per_kwh is None else given_g_per_kwh
    return replace(
        found,
        region=region,
        grid=Grid(mix.zone, g_per_kwh, _MIX_SOURCE_ID if given_g_per_kwh is None else "user"),
        intensity_g_per_kwh=Interval.exact(g_per_kwh),
        pue_ratio=between(provider.pue_ratio),
        wue_onsite_l_per_it_kwh=between(provider.wue_onsite_l_per_it_kwh),
        water_zone=mix.zone,
        efficiency_source_id="ecologits-0.11.3",
        grid_keys=(),
    )


def _at_set_region(factor_set: FactorSet, found: Location) -> Location:
    for region in factor_set.regions:
        if set(found.grid_keys) & set(region.regions):
            return replace(
                found,
                region=Region(found.region.name, FACTOR_REGION),
                grid=Grid(region.name, region.g_per_kwh, region.source_id),
                intensity_g_per_kwh=Interval.exact(region.g_per_kwh),
                grid_keys=(),
            )
    return found
