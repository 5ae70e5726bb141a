"""Everyday equivalents of a mass of CO2e. Shown beside the gram figure, never instead of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import number, read_csv

__all__ = ["DEFAULT_EQUIVALENTS", "Equivalent", "equivalents_of", "load_equivalents"]

DEFAULT_EQUIVALENTS = "epa-2026"


@dataclass(frozen=True, slots=True)
class Equivalent:
    """One thing to compare with."""

    key: str
    grams_per_unit: float
    unit: str
    source_id: str


def load_equivalents(path: Path, source_ids: Container[str]) -> dict[str, dict[str, Equivalent]]:
    """Read the equivalents, by set and key.

    Raises:
        FactorError: a row has no known source, or no positive mass.
    """
    sets: dict[str, dict[str, Equivalent]] = {}
    for row in read_csv(path, source_ids):
        grams = number(f"{path.name}, {row['set']} {row['key']}", "grams_per_unit", row["grams_per_unit"])
        if grams <= 0.0:
            raise FactorError(f"{path.name}, {row['set']} {row['key']}: grams_per_unit must be above zero")
        sets.setdefault(row["set"], {})[row["key"]] = Equivalent(row["key"], grams, row["unit"], row["source_id"])
    return sets


def equivalents_of(co2e_grams: float, equivalents: Mapping[str, Equivalent]) -> dict[str, float]:
    """Return how many units of each thing a mass of CO2e equals."""
    return {key: co2e_grams / equivalent.grams_per_unit for key, equivalent in equivalents.items()}
