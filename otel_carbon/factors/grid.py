"""Carbon intensity of electricity: average, location-based, life cycle, in g/kWh."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from otel_carbon.factors.files import number, read_csv

__all__ = ["GridFamily", "GridTable", "InferenceProfile", "Zone", "load_grid", "load_inference_profiles"]


class GridFamily(StrEnum):
    """Publications of life-cycle grid intensity. They differ by design and are not mixed in one report."""

    ELECTRICITY_MAPS = "electricity-maps"
    """Zones, flow-traced consumption; the data are under the ODbL."""
    EMBER = "ember"
    """Countries, generation; CC BY 4.0."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One electricity grid in one year."""

    id: str
    name: str
    g_per_kwh: float
    source_id: str


GridTable = Mapping[str, Zone]


@dataclass(frozen=True, slots=True)
class InferenceProfile:
    """A set of cloud regions that one call may run in, with the unweighted mean and the range of their grids."""

    id: str
    cloud: str
    meaning: str
    candidate_regions: tuple[str, ...]
    g_low: float
    g_central: float
    g_high: float
    source_id: str


def load_grid(path: Path, source_ids: Container[str]) -> dict[str, Zone]:
    """Read a table of zones.

    Raises:
        FactorError: a row has no known source or no valid intensity.
    """
    return {
        row["zone"]: Zone(
            row["zone"],
            row["name"],
            number(f"{path.name}, {row['zone']}", "g_per_kwh", row["g_per_kwh"]),
            row["source_id"],
        )
        for row in read_csv(path, source_ids)
    }


def load_inference_profiles(path: Path, source_ids: Container[str]) -> dict[str, InferenceProfile]:
    """Read the cross-region profiles of the clouds.

    Raises:
        FactorError: a row has no known source or no valid intensity.
    """

    def profile(row: Mapping[str, str]) -> InferenceProfile:
        low, central, high = (
            number(f"{path.name}, {row['profile']}", key, row[key]) for key in ("g_low", "g_central", "g_high")
        )
        regions = tuple(row["candidate_regions"].split())
        return InferenceProfile(
            row["profile"], row["cloud"], row["meaning"], regions, low, central, high, row["source_id"]
        )

    return {row["profile"]: profile(row) for row in read_csv(path, source_ids)}
