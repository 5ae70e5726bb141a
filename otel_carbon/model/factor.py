"""Factors and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MOST_INTENSITY_G_PER_KWH", "Confidence", "FactorRef", "Grid", "GridReading", "Region", "Source"]

MOST_INTENSITY_G_PER_KWH = 10_000.0
"""What a setting or a mark may claim: five times the dirtiest grid on record. More would only spoil every sum."""

_MOST_G_PER_KWH = 3000.0  # burning oil shale or lignite in old plants stays below half of it


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
    period_start_unix_nano: int | None = None
    """Start of the hour or half-hour that the intensity is the average of; None for the average of a year."""
    quality: str | None = None
    """Where hours are asked for: measured, estimated (by the source), carried_forward (from a period before that of the
    call), or yearly (no hour was known). None where only yearly figures are used.
    """


@dataclass(frozen=True, slots=True)
class GridReading:
    """The average life-cycle intensity of one grid over one period, in g/kWh.

    Raises:
        ValueError: the intensity cannot be one, or the period is empty.
    """

    zone: str
    g_per_kwh: float
    start_unix_nano: int
    end_unix_nano: int
    """The first moment after the period."""
    source_id: str
    is_estimated: bool = False
    """Whether the source itself calls the figure estimated or forecast."""
    fetched_unix_nano: int = 0
    """When the source gave it."""

    def __post_init__(self) -> None:
        """Refuse what no grid has had: a figure beyond 3000 g/kWh is one in another unit."""
        if not 0.0 <= self.g_per_kwh <= _MOST_G_PER_KWH or self.start_unix_nano >= self.end_unix_nano:
            raise ValueError(f"not a grid intensity: {self}")
