"""What an estimate comes to, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from otel_carbon.model.factor import Confidence, FactorRef, Grid, Region
from otel_carbon.model.interval import Interval

__all__ = ["GUESSED_USAGE", "Footprint", "Mark", "NotEstimated", "Outcome", "Status"]


GUESSED_USAGE = "the token counts are the emitter's own guess, not what the provider counted"
"""The note of a footprint whose counts nobody has measured."""


class Status(StrEnum):
    """How a call came out: the value of `otel_carbon.status`."""

    ESTIMATED = "estimated"
    NO_USAGE = "no_usage"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    UNKNOWN_MODEL = "unknown_model"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Energy and emissions of one call. A quantity that the factor set does not give is None, never zero.

    `energy_wh` is at the data-centre meter (facility), `it_energy_wh` at the server. `co2e_grams` is operational plus
    embodied.
    """

    model: str
    """The normalised model name."""
    energy_wh: Interval | None
    it_energy_wh: Interval | None
    co2e_grams: Interval | None
    co2e_operational_grams: Interval | None
    co2e_embodied_grams: Interval | None
    water_liters: Interval | None
    factor: FactorRef
    confidence: Confidence
    region: Region
    grid: Grid
    notes: tuple[str, ...] = ()
    """Anything a reader must know, as sentences."""
    primary_energy_mj: Interval | None = None
    """Energy taken from nature (cumulative energy demand), where the factor set gives it."""
    abiotic_depletion_kgsbeq: Interval | None = None
    """Depletion of minerals and metals (ADPe) in kg of antimony equivalents, where the factor set gives it."""


@dataclass(frozen=True, slots=True)
class NotEstimated:
    """A call without an estimate, and why."""

    status: Status
    reason: str


Outcome = Footprint | NotEstimated


@dataclass(frozen=True, slots=True)
class Mark:
    """The `otel_carbon.*` attributes that an earlier stage left on a span, as claimed there.

    Values are rounded to six significant digits, so a ledger computes its own from set, factor, zone and intensity.
    """

    status: Status
    energy_wh: Interval | None = None
    co2e_grams: Interval | None = None
    co2e_embodied_grams: float | None = None
    factor: FactorRef | None = None
    confidence: str | None = None
    region: Region | None = None
    grid: Grid | None = None
    water_liters: float | None = None
