"""Where models are served: providers' defaults, cloud regions, and the hosts that name either."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.factors.files import interval, number, read_csv
from otel_carbon.model import Interval

__all__ = ["CloudRegion", "Host", "ProviderDefaults", "load_hosts", "load_providers", "load_regions"]


@dataclass(frozen=True, slots=True)
class ProviderDefaults:
    """Where a provider serves from as far as is known, and how efficient its data centres are."""

    name: str
    aliases: tuple[str, ...]
    country_iso3: str
    intensity_g_per_kwh: Interval
    pue_ratio: Interval
    wue_onsite_l_per_it_kwh: Interval
    wue_offsite_l_per_kwh: float
    basis: str
    source_id: str


@dataclass(frozen=True, slots=True)
class CloudRegion:
    """One region of a cloud, the grid that it draws from, and what its operator discloses."""

    cloud: str
    name: str
    location: str
    country_iso3: str
    zone: str
    pue_ratio: float | None
    wue_l_per_it_kwh: float | None
    source_id: str


@dataclass(frozen=True, slots=True)
class Host:
    """A server name that tells the provider, and sometimes the region or an inference profile."""

    pattern: str
    provider: str
    profile: str | None


def load_providers(path: Path, source_ids: Container[str]) -> dict[str, ProviderDefaults]:
    """Read the providers' defaults by name; `*` stands for a provider that is not known.

    Raises:
        FactorError: a row is malformed or has no known source.
    """
    return {row["provider"]: _provider(path.name, row) for row in read_csv(path, source_ids)}


def load_regions(path: Path, source_ids: Container[str]) -> dict[str, dict[str, CloudRegion]]:
    """Read the cloud regions, by cloud and name.

    Raises:
        FactorError: a row is malformed or has no known source.
    """
    clouds: dict[str, dict[str, CloudRegion]] = {}
    for row in read_csv(path, source_ids):
        where = f"{path.name}, {row['cloud']} {row['region']}"
        clouds.setdefault(row["cloud"], {})[row["region"]] = CloudRegion(
            cloud=row["cloud"],
            name=row["region"],
            location=row["location"],
            country_iso3=row["country_iso3"],
            zone=row["em_zone"],
            pue_ratio=_optional(where, "pue", row["pue"]),
            wue_l_per_it_kwh=_optional(where, "wue_l_per_kwh", row["wue_l_per_kwh"]),
            source_id=row["source_id"],
        )
    return clouds


def load_hosts(path: Path, source_ids: Container[str]) -> tuple[Host, ...]:
    """Read the patterns of server names.

    Raises:
        FactorError: a row has no known source.
    """
    return tuple(Host(row["pattern"], row["provider"], row["site"] or None) for row in read_csv(path, source_ids))


def _provider(file: str, row: Mapping[str, str]) -> ProviderDefaults:
    where = f"{file}, {row['provider']}"

    def three(prefix: str) -> Interval:
        return interval(where, prefix, {bound: row[f"{prefix}_{bound}"] for bound in ("low", "central", "high")})

    return ProviderDefaults(
        name=row["provider"],
        aliases=tuple(alias for alias in row["aliases"].split(",") if alias),
        country_iso3=row["default_country"],
        intensity_g_per_kwh=three("g"),
        pue_ratio=three("pue"),
        wue_onsite_l_per_it_kwh=three("wue_onsite"),
        wue_offsite_l_per_kwh=number(where, "wue_offsite_central", row["wue_offsite_central"]),
        basis=row["basis"],
        source_id=row["source_id"],
    )


def _optional(where: str, key: str, value: str) -> float | None:
    return number(where, key, value) if value else None
