"""Places: what the tables know of a cloud region, a grid zone or a set of regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_carbon.factors.constants import times_divided
from otel_carbon.factors.grid import GridFamily, InferenceProfile
from otel_carbon.factors.sites import CloudRegion
from otel_carbon.factors.tables import FactorTables
from otel_carbon.model import Grid, Interval, Region

__all__ = [
    "CLOUD_PROVIDERS",
    "PROVIDER_OF_CLOUD",
    "Location",
    "at_cloud_region",
    "cloud_region",
    "find_zone",
    "knows_region",
    "mean_of_countries",
]

CLOUD_PROVIDERS: Mapping[str, str] = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "gcp.vertex_ai": "gcp",
    "gcp.gemini": "gcp",
    "oci": "oci",
    "ovh": "ovh",
    "bytedance": "bytedance",
}
PROVIDER_OF_CLOUD = {"aws": "aws.bedrock", "azure": "azure.ai.openai", "gcp": "gcp.vertex_ai"}


@dataclass(frozen=True, slots=True)
class Location:
    """A place with its grid intensity (g/kWh), PUE, and water on site (L per kWh IT) and off site (L per kWh)."""

    region: Region
    grid: Grid
    intensity_g_per_kwh: Interval
    pue_ratio: Interval
    wue_onsite_l_per_it_kwh: Interval
    water_zone: str
    wue_offsite_fallback_l_per_kwh: float
    efficiency_source_id: str
    """Source of PUE and water on site."""
    notes: tuple[str, ...] = ()
    grid_keys: tuple[str, ...] = ()
    """What the one grid of this place is known by, best first: `aws:eu-west-1`, `IE`. Empty where there are several."""


def cloud_region(tables: FactorTables, name: str, provider: str | None) -> CloudRegion | None:
    """Return a cloud region by name: of the provider's cloud, else of AWS, else of the only cloud that has it."""
    name = name.strip().lower()
    own = CLOUD_PROVIDERS.get(tables.provider_names.get(provider or "", ""))
    order = [own, "aws", *tables.regions] if own else ["aws", *tables.regions]
    return next((tables.regions[cloud][name] for cloud in order if name in tables.regions[cloud]), None)


def knows_region(tables: FactorTables, name: str) -> bool:
    """Return whether a name is that of a cloud region, or `global`."""
    return name.strip().lower() == "global" or cloud_region(tables, name, None) is not None


def find_zone(tables: FactorTables, zone: str) -> Grid | None:
    """Return a grid by its key: an ISO 3166 alpha-3 code is Ember's, anything else is an Electricity Maps key."""
    wanted = zone.strip().upper()
    for family in (GridFamily.EMBER, GridFamily.ELECTRICITY_MAPS):
        found = tables.grid(family).get(wanted)
        if found is not None:
            return Grid(found.id, found.g_per_kwh, found.source_id)
    return None


def at_cloud_region(tables: FactorTables, region: CloudRegion, family: GridFamily) -> Location:
    """Return a cloud region as a location; what its operator does not disclose is that of its fleet."""
    constants = tables.constants
    fleet_name = PROVIDER_OF_CLOUD.get(region.cloud, region.cloud)
    fleet = tables.providers.get(fleet_name, tables.providers["*"])
    key = region.country_iso3 if family is GridFamily.EMBER else region.zone
    zone = tables.grid(family)[key]
    pue, water = region.pue_ratio, region.wue_l_per_it_kwh
    return Location(
        region=Region(region.name, "cloud_region"),
        grid=Grid(zone.id, zone.g_per_kwh, zone.source_id),
        intensity_g_per_kwh=times_divided(zone.g_per_kwh, constants.known_zone_factor),
        pue_ratio=fleet.pue_ratio if pue is None else times_divided(pue, constants.known_pue_factor),
        wue_onsite_l_per_it_kwh=(
            fleet.wue_onsite_l_per_it_kwh if water is None else times_divided(water, constants.known_onsite_wue_factor)
        ),
        water_zone=region.country_iso3,
        wue_offsite_fallback_l_per_kwh=fleet.wue_offsite_l_per_kwh,
        efficiency_source_id=fleet.source_id if pue is None else region.source_id,
        grid_keys=(f"{region.cloud}:{region.name}", region.zone),
    )


def mean_of_countries(tables: FactorTables, profile: InferenceProfile) -> Interval:
    """Return the unweighted mean and the range of the candidate regions' countries."""
    regions = tables.regions[profile.cloud]
    ember = tables.grid(GridFamily.EMBER)
    values = [ember[regions[name].country_iso3].g_per_kwh for name in profile.candidate_regions]
    lowest, highest = min(values), max(values)
    # The mean of equal values, all of one country, can be off in its last bit.
    return Interval(lowest, min(max(sum(values) / len(values), lowest), highest), highest)
