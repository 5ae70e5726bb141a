"""Factors and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Confidence", "FactorRef", "Grid", "Region", "Source"]


class Confidence(StrEnum):
    """How well an energy factor is known, best first."""

    MEASURED = "measured"
    VENDOR_REPORTED = "vendor_reported"
    ESTIMATED = "estimated"
    CLASS_DEFAULT = "class_default"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Source:
    """A publication that a factor rests on."""

    id: str
    citation: str
    url: str
    date: str
    licence: str
    verification: str
    note: str


@dataclass(frozen=True, slots=True)
class FactorRef:
    """Names one row of one factor set, and how the model's name led to it.

    `match` is one of alias, set_model, pattern, size_hint, name_hint, global_default, or `fallback_` and one of
    these where a set had no row and the default set answered.
    """

    set: str
    id: str
    match: str


@dataclass(frozen=True, slots=True)
class Region:
    """Where inference is assumed to have run.

    `source` is one of user, cloud_region, inference_profile, provider_default, model_vendor, world, or
    factor_included, factor_region, factor_provider for factor sets that bring their own.
    """

    name: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Grid:
    """The electricity grid whose carbon intensity was applied."""

    zone: str | None
    intensity_g_per_kwh: float | None
    source: str | None
    """`source_id` of the intensity, or `user`."""
