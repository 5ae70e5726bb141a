"""Water of electricity generation by country, in L/kWh."""

from __future__ import annotations

import csv
from collections.abc import Container
from pathlib import Path

from otel_carbon.factors.files import number, read_csv

__all__ = ["load_offsite_water"]


def load_offsite_water(directory: Path, source_ids: Container[str]) -> dict[str, float]:
    """Read the water per kWh by zone, with each country under its ISO 3166 alpha-3 and alpha-2 codes.

    The figures are those of EcoLogits 0.11.3, in its own file (MPL-2.0), which has no column for the source.

    Raises:
        FactorError: a value is not a number.
    """
    iso2_of = {row["iso3"]: row["iso2"] for row in read_csv(directory / "countries.csv", source_ids)}
    water_l_per_kwh: dict[str, float] = {}
    with (directory / "ecologits_electricity_mixes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            zone = row["zone"]
            value = number(f"ecologits_electricity_mixes.csv, {zone}", "wue_l_per_kwh", row["wue_l_per_kwh"])
            water_l_per_kwh[zone] = value
            if zone in iso2_of:
                water_l_per_kwh[iso2_of[zone]] = value
    return water_l_per_kwh
