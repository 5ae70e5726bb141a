"""What a factor table is made of: frozen rows, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from otel_carbon.model import Confidence, Interval, ItemKind, Source

if TYPE_CHECKING:  # only a parametric set needs these, and start-up must be light
    from otel_carbon.factors.lca import LcaModel, LcaTables

__all__ = ["PART_STATES", "Basis", "Boundary", "FactorRow", "FactorSet", "ItemRate", "RegionRow", "TokenRates"]

PART_STATES: Mapping[str, str] = {
    "default": "of the package",
    "own": "of the set",
    "included": "inside the figure",
    "none": "left out",
}
"""Where a set takes grid, PUE, hardware and water from: as a file says it, and as a reader is told."""


class Basis(StrEnum):
    """What the numbers of a factor set are given for."""

    PER_TOKEN = "per_token"  # noqa: S105 - a token of text
    TOTAL_KWH_PER_1M = "total_kwh_per_1m"
    TOTAL_G_PER_1K = "total_g_per_1k"
    PER_REQUEST = "per_request"
    PARAMETRIC = "parametric"


class Boundary(StrEnum):
    """Which energy the numbers of a factor set mean."""

    ACCELERATOR = "accelerator"
    IT = "it"
    FACILITY = "facility"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TokenRates:
    """Energy of one model in Wh per million tokens of each kind, at the boundary of its set."""

    uncached_input_wh_per_1m: Interval
    cache_read_wh_per_1m: Interval
    cache_write_wh_per_1m: Interval
    visible_output_wh_per_1m: Interval
    reasoning_wh_per_1m: Interval

    def by_kind(self) -> tuple[Interval, ...]:
        """Return the figures in this order, in which cards and configs have them."""
        return (
            self.uncached_input_wh_per_1m,
            self.cache_read_wh_per_1m,
            self.cache_write_wh_per_1m,
            self.visible_output_wh_per_1m,
            self.reasoning_wh_per_1m,
        )


@dataclass(frozen=True, slots=True)
class ItemRate:
    """Energy of one image, one video clip or one second of audio, at a boundary of its own."""

    kind: ItemKind
    wh_per_item: Interval
    boundary: Boundary
    unit: str
    """What one item is, for people: `image of 1024x1024, 20 steps`."""


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One row of a factor set: a model, or a class of models. `rates` is None where the basis is not per token."""

    name: str
    match: tuple[str, ...]
    """Exact names or globs, tested on the normalised model name. Empty for a class."""
    confidence: Confidence
    source_id: str
    rates: TokenRates | None
    published: Mapping[str, object]
    """The row as the file gives it."""
    lca: LcaModel | None = None
    """Size and speed of the model, where the set is parametric."""
    item: ItemRate | None = None
    """Where the row is for what is counted by the item. Without `match` it answers for every model."""
    providers: tuple[str, ...] = ()
    """Who serves the model, in lower case, where the row holds only there. Empty: it holds everywhere."""


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A grid intensity that a factor set brings along for some cloud regions (`cloud:region`)."""

    name: str
    g_per_kwh: float
    regions: tuple[str, ...]
    source_id: str


@dataclass(frozen=True, slots=True)
class FactorSet:
    """One immutable factor set. Any change of a number is a new `id`."""

    id: str
    version: str
    title: str
    licence: str
    source_id: str
    valid_from: date
    valid_to: date | None
    """Exclusive; None: still valid."""
    basis: Basis
    boundary: Boundary
    fallback_id: str | None
    """The set that answers where this one has no row; None where its own classes do."""
    models: tuple[FactorRow, ...]
    classes: Mapping[str, FactorRow]
    regions: tuple[RegionRow, ...]
    exact: Mapping[str, FactorRow]
    """Rows by the names that they match without a wildcard."""
    items: tuple[FactorRow, ...] = ()
    """Rows for what is counted by the item: images, video clips, seconds of audio."""
    min_bounds_factor: float = 1.0
    """Least factor between central and bounds, for figures that are published without bounds."""
    published_labels: bool = False
    """Whether confidence labels are the publisher's own and stay as they are."""
    warning: str | None = None
    """What everybody who selects this set must know, as a sentence."""
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where grid, PUE, hardware and water come from: default (the package), own (the set), included or none."""
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """Sources that the file brings along, by id."""
    lca: LcaTables | None = None
    """Constants, data centres and electricity mixes, where the set is parametric."""
