"""Constants of the calculation, from `data/constants.toml`."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import interval, number, read_toml
from otel_carbon.model import Confidence, Interval

__all__ = ["Constants", "load_constants", "times_divided"]

_BOUNDS = ("low", "central", "high")


@dataclass(frozen=True, slots=True)
class Constants:
    """Ratios and default spreads that hold for every factor set."""

    it_over_accelerator_ratio: Interval
    embodied_g_per_it_kwh: Interval
    reasoning_over_output_ratio: Interval
    cached_over_input_ratio: Interval
    media_over_text_ratio: Interval
    known_zone_factor: float
    known_pue_factor: float
    known_onsite_wue_factor: float
    offsite_water_spread_ratio: float
    name_hint_factor: float
    bounds_factor: Mapping[Confidence, float]
    """Bounds are central times and divided by this where a set publishes none."""


def times_divided(central: float, factor: float) -> Interval:
    """Return central with bounds at central divided and multiplied by a factor of at least one."""
    return Interval(central / factor, central, central * factor)


def load_constants(path: Path, source_ids: Container[str]) -> Constants:
    """Read the constants.

    Raises:
        FactorError: a constant is missing, malformed or has no known source.
    """
    tables = read_toml(path)
    for name, table in tables.items():
        if table.get("source_id") not in source_ids:
            raise FactorError(f"{path.name}, [{name}]: source_id {table.get('source_id')!r} is not in sources.csv")

    def three(name: str) -> Interval:
        table: dict[str, Any] = tables[name]
        return interval(f"{path.name}, [{name}]", name, {bound: table[bound] for bound in _BOUNDS})

    def one(table: str, key: str) -> float:
        return number(f"{path.name}, [{table}]", key, tables[table][key])

    try:
        return Constants(
            it_over_accelerator_ratio=three("it_over_accelerator"),
            embodied_g_per_it_kwh=three("embodied_g_per_kwh_it"),
            reasoning_over_output_ratio=three("reasoning_over_output"),
            cached_over_input_ratio=three("cached_over_input"),
            media_over_text_ratio=three("media_over_text"),
            known_zone_factor=one("factors", "known_zone"),
            known_pue_factor=one("factors", "known_pue"),
            known_onsite_wue_factor=one("factors", "known_onsite_wue"),
            offsite_water_spread_ratio=one("factors", "offsite_water"),
            name_hint_factor=one("factors", "name_hint"),
            bounds_factor={label: one("bounds_by_confidence", label.value) for label in Confidence},
        )
    except KeyError as error:
        raise FactorError(f"{path.name}: {error.args[0]} is missing") from error
