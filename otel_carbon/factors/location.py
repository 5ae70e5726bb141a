"""Where a call's inference is assumed to have run: grid, PUE and water, and the step that told.

First hit wins: the user's own setting; a cloud region that the call names; an inference profile; the region that the
application calls from (clouds only); the provider's default; the vendor of a closed model; the world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from otel_carbon.factors.files import compiled
from otel_carbon.factors.grid import GridFamily, InferenceProfile
from otel_carbon.factors.names import ModelName
from otel_carbon.factors.places import (
    CLOUD_PROVIDERS,
    PROVIDER_OF_CLOUD,
    Location,
    at_cloud_region,
    cloud_region,
    mean_of_countries,
)
from otel_carbon.factors.sites import ProviderDefaults
from otel_carbon.factors.tables import FactorTables
from otel_carbon.model import Grid, Interval, Region

__all__ = ["CALLER_TELLS", "CLOSED_MODELS", "EVERYWHERE", "Hints", "locate"]

# Only here does the application's own region say something: the model is a service of the same cloud.
CALLER_TELLS = frozenset({"aws.bedrock", "azure.ai.openai", "gcp.vertex_ai"})
EVERYWHERE = {"aws.bedrock": "global.", "azure.ai.openai": "azure-global", "gcp.vertex_ai": "gcp-global"}
_WORLD = {"WOR": "world"}  # a region name is read by people
# Beginnings of names of models that only their vendor (or a cloud of its choice) serves.
CLOSED_MODELS = (
    ("gpt-oss", None),
    ("gpt-", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gcp.gemini"),
    ("grok", "x_ai"),
    ("command-", "cohere"),
    ("deepseek-chat", "deepseek"),
)


@dataclass(frozen=True, slots=True)
class Hints:
    """What a call says about where it ran."""

    models: tuple[ModelName, ...]
    provider: str | None = None
    region: str | None = None
    server_address: str | None = None
    caller_region: str | None = None


def locate(tables: FactorTables, hints: Hints, family: GridFamily = GridFamily.ELECTRICITY_MAPS) -> Location:
    """Return where the call ran as far as it can be told, without the user's settings."""
    search = _Search(tables, hints, family)
    return search.named_region() or search.profile() or search.caller() or search.default()


class _Search:
    """One search through the steps, with what they share."""

    def __init__(self, tables: FactorTables, hints: Hints, family: GridFamily) -> None:
        self._tables = tables
        self._hints = hints
        self._family = family
        self._host_region, self._host_provider, self._host_profile = self._host()
        stated = tables.provider_names.get((hints.provider or "").strip().lower())
        # A server that is known by name beats what the client library calls itself.
        self._provider = self._host_provider or stated
        named = (model.host_provider for model in hints.models)
        self._named_provider = next((name for name in named if name in tables.providers), None)

    def named_region(self) -> Location | None:
        """Step cloud_region: a region that the call, its endpoint or its model name gives."""
        hints = self._hints
        if hints.region:
            found = self._at_region(hints.region)
            if found is not None:
                return found
        # A model name with an inference profile may run elsewhere than at the endpoint.
        if any(model.profile for model in hints.models):
            return None
        named = [self._host_region, *(model.region for model in hints.models)]
        return next((found for name in named if name and (found := self._at_region(name))), None)

    def profile(self) -> Location | None:
        """Step inference_profile: a set of regions that the call may have run in."""
        everywhere = None
        if (self._hints.region or "").strip().lower() == "global":
            everywhere = EVERYWHERE.get(self._provider or self._named_provider or "")
        named = [everywhere, *(model.profile for model in self._hints.models), self._host_profile]
        profile = next((found for name in named if (found := self._tables.profiles.get(name or ""))), None)
        return None if profile is None else self._at_profile(profile)

    def caller(self) -> Location | None:
        """Step cloud_region, by the application's own region: only where the model is a service of that cloud."""
        provider = self._provider or self._named_provider
        region = (self._hints.caller_region or "").strip().lower()
        if provider not in CALLER_TELLS or region not in self._tables.regions[CLOUD_PROVIDERS[provider]]:
            return None
        found = self._at_region(region)
        note = f"taken to run in {region}, where the application runs"
        return None if found is None else replace(found, notes=(*found.notes, note))

    def default(self) -> Location:
        """Steps provider_default, model_vendor and world."""
        providers = self._tables.providers
        for provider in (self._provider, self._named_provider):
            if provider is not None:
                return self._at_provider(providers[provider], "provider_default")
        vendor = next((name for model in self._hints.models if (name := _closed_vendor(model.name))), None)
        if vendor is not None:
            return self._at_provider(providers[vendor], "model_vendor")
        return self._at_provider(providers["*"], "world")

    def _host(self) -> tuple[str | None, str | None, str | None]:
        address = (self._hints.server_address or "").strip().lower()
        for host in self._tables.hosts if address else ():
            if found := compiled(host.pattern).match(address):
                return found.groupdict().get("region"), host.provider, host.profile
        return None, None, None

    def _at_region(self, name: str) -> Location | None:
        provider = self._provider or self._named_provider
        vendors = (_closed_vendor(model.name) for model in self._hints.models)
        region = cloud_region(self._tables, name, provider or next(filter(None, vendors), None))
        if region is None:
            return None
        location = at_cloud_region(self._tables, region, self._family)
        if provider is not None and CLOUD_PROVIDERS.get(provider) == region.cloud:
            return location
        return replace(location, notes=(f"region {region.name} read as one of {region.cloud}",))

    def _at_profile(self, profile: InferenceProfile) -> Location:
        defaults = self._tables.providers[PROVIDER_OF_CLOUD[profile.cloud]]
        intensity = Interval(profile.g_low, profile.g_central, profile.g_high)
        source_id = profile.source_id
        if self._family is GridFamily.EMBER:
            intensity = mean_of_countries(self._tables, profile)
            source_id = next(iter(self._tables.grid(GridFamily.EMBER).values())).source_id
        return Location(
            region=Region(profile.id, "inference_profile"),
            grid=Grid(profile.id, intensity.central, source_id),
            intensity_g_per_kwh=intensity,
            pue_ratio=defaults.pue_ratio,
            wue_onsite_l_per_it_kwh=defaults.wue_onsite_l_per_it_kwh,
            water_zone="",
            wue_offsite_fallback_l_per_kwh=defaults.wue_offsite_l_per_kwh,
            efficiency_source_id=defaults.source_id,
        )

    def _at_provider(self, defaults: ProviderDefaults, source: str) -> Location:
        ember = self._tables.grid(GridFamily.EMBER)
        return Location(
            region=Region(_WORLD.get(defaults.country_iso3, defaults.country_iso3), source),
            grid=Grid(
                defaults.country_iso3, defaults.intensity_g_per_kwh.central, ember[defaults.country_iso3].source_id
            ),
            intensity_g_per_kwh=defaults.intensity_g_per_kwh,
            pue_ratio=defaults.pue_ratio,
            wue_onsite_l_per_it_kwh=defaults.wue_onsite_l_per_it_kwh,
            water_zone="",
            wue_offsite_fallback_l_per_kwh=defaults.wue_offsite_l_per_kwh,
            efficiency_source_id=defaults.source_id,
        )


def _closed_vendor(name: str) -> str | None:
    return next((vendor for beginning, vendor in CLOSED_MODELS if name.startswith(beginning)), None)
