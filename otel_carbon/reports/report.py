"""What a report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_carbon.factors.equivalents import Equivalent
from otel_carbon.model import Interval, Source

__all__ = [
    "Coverage",
    "Foundation",
    "Group",
    "InventoryEntry",
    "MarketBased",
    "Period",
    "Report",
    "Sci",
    "SciUnit",
    "SecondGroup",
    "SecondSet",
    "TakenBack",
    "Totals",
]


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (inclusive) to `end` (exclusive), ISO 8601 in UTC; None only in an empty ledger."""

    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over calls. A quantity that no factor set of theirs gives is None; input includes the cached tokens."""

    calls: int | float
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    media_input_tokens: int
    """Of the input, those of images, audio and video, as far as emitters say; `media_output_tokens` likewise."""
    media_output_tokens: int
    images: int
    videos: int
    audio_seconds: float
    energy_wh: Interval | None
    it_energy_wh: Interval | None
    co2e_grams: Interval | None
    co2e_operational_grams: Interval | None
    co2e_embodied_grams: Interval | None
    water_liters: Interval | None
    primary_energy_mj: Interval | None
    abiotic_depletion_kgsbeq: Interval | None
    co2e_market_based_grams: Interval | None
    """Of the calls with a supplier's own figure; never part of `co2e_grams`."""


@dataclass(frozen=True, slots=True)
class Group:
    """The calls that agree in the dimensions of `keys`; an unknown value is None."""

    keys: Mapping[str, str | None]
    totals: Totals
    places: tuple[str, ...] = ()
    """Where an inventory has them, in short: `2`, `3.1`."""


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """Emissions in one place of a greenhouse-gas inventory. Parts of one call add up to its total."""

    scope: int
    category: int | None
    """Of scope 3; None in scope 2."""
    name: str
    part: str
    """Of the calls' emissions: total, operational or embodied."""
    reason: str
    calls: int | float
    co2e_grams: Interval | None


@dataclass(frozen=True, slots=True)
class MarketBased:
    """Electricity of the calls for which suppliers' own figures are configured. In no total."""

    co2e_market_based_grams: Interval | None
    location_based_grams: Interval | None
    """Operational emissions of the same calls by the grid: what the figure above compares with."""
    calls: int | float
    share_of_calls: float
    """Of the estimated calls, from 0 to 1."""
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foundation:
    """One row of one factor set at the grid of one publication, and what of the totals rests on it."""

    factor_set: str
    factor: str
    grid_source: str | None
    calls: int | float
    co2e_grams: Interval | None
    energy_wh: Interval | None
    source_ids: tuple[str, ...]
    """Publications of the row, of its set and of the grid, as far as they are known here."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the spans that were seen came out: what the totals rest on."""

    seen_spans: int
    counted: int
    """Spans with a standing line, `no_usage` and `unknown_model` among them."""
    duplicates: int
    no_usage: int
    failed: int
    unknown_model: int
    """Calls that no factor covers: of a model, or of images, video or audio made by it."""
    sampled_calls: int
    """Of the counted, those that stand for more than one call."""
    sampling_refused: int
    """Of the counted, those whose sampling probability is too small to be believed; each counts once."""
    parents: int
    conflicts: int
    """Spans that came again with different content; the first one counts."""
    claims_differ: int
    """Of the counted, those where an earlier stage had put another figure on the span."""
    guessed_usage: int
    """Of the counted, those whose token counts are the emitter's own guess."""
    not_covered: Mapping[str, int]
    """Of the counted, those without an estimate, by operation: what the sums lack."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Lines of the period that reversals have taken back."""

    lines: int
    co2e_grams: float


@dataclass(frozen=True, slots=True)
class Sci:
    """Software Carbon Intensity of the estimated calls, in gCO2e per functional unit."""

    per_call_g: Interval
    per_1k_tokens_g: Interval
    """Per thousand tokens, input and output alike."""
    units: tuple[SciUnit, ...] = ()
    """Per functional unit of the user."""


@dataclass(frozen=True, slots=True)
class SciUnit:
    """Software Carbon Intensity per functional unit of the user, in gCO2e."""

    name: str
    units: int | float
    counted: str
    """`given`: the user says how many; `distinct`: values of the dimension of that name."""
    per_unit_g: Interval | None
    calls: int | float
    share_of_calls: float
    """Of the estimated calls, those that belong to a unit, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class SecondGroup:
    """The same calls by another factor set. A quantity that not every one of the calls has is None."""

    keys: Mapping[str, str | None]
    calls: int | float
    """Calls that the second set estimates."""
    energy_wh: Interval | None
    co2e_grams: Interval | None
    ratio: float | None
    """Central gCO2e by the second set over that in the ledger."""


@dataclass(frozen=True, slots=True)
class SecondSet:
    """The calls of a report by another factor set: an alternative to its figures, never added to them."""

    factor_set: str
    title: str
    warning: str | None
    """What everybody who uses this set must know."""
    totals: SecondGroup
    groups: tuple[SecondGroup, ...]
    """In the order of the report's own groups."""
    answered_by: Mapping[str, int | float]
    """Calls by the factor set that gave the figure: the set itself, or the one that it falls back to."""
    not_estimated_calls: int | float
    why: str
    """Why the figures differ."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of the ledger for one period, as it stood at one moment."""

    period: Period
    as_of: str
    """The last moment of recording that the report includes."""
    tenant: str | None
    totals: Totals
    by: tuple[str, ...]
    groups: tuple[Group, ...]
    coverage: Coverage
    confidence_share: Mapping[str, float]
    """Share of gCO2e by confidence label, from 0 to 1."""
    factor_sets: tuple[str, ...]
    grid_sources: tuple[str, ...]
    taken_back: TakenBack
    equivalents: Mapping[str, float]
    notes: tuple[str, ...]
    sentence: str
    """What was estimated, how, and what is left out."""
    second_set: SecondSet | None = None
    sci: Sci | None = None
    inventory: tuple[InventoryEntry, ...] = ()
    places: tuple[str, ...] = ()
    market_based: MarketBased | None = None
    where: tuple[tuple[str, str], ...] = ()
    """What the calls were narrowed to: dimension and value, empty for unknown."""
    foundations: tuple[Foundation, ...] = ()
    sources: tuple[Source, ...] = ()
    """Every publication that the totals rest on."""
    compared_with: tuple[tuple[Equivalent, Source], ...] = ()
    """What `equivalents` rest on."""
