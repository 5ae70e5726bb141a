"""Market-based emissions: a supplier's own intensity, for a figure that stands beside the location-based one.

GHG Protocol Scope 2 Guidance: the market-based method takes what contracts and certificates say. It is never mixed with
the location-based one, so these figures have a column of their own and are in no total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from otel_carbon.errors import ConfigError
from otel_carbon.model import Interval
from otel_carbon.units import kwh_from_wh

__all__ = ["MarketFigure", "check_figures", "find_figure", "market_based_grams"]

_MOST_G_PER_KWH = 3000.0  # as of a grid: more is a figure in another unit


@dataclass(frozen=True, slots=True)
class MarketFigure:
    """What a supplier says its electricity emitted, in g/kWh, over a period of days in UTC.

    Raises:
        ConfigError: a part is missing or cannot be.
    """

    provider: str
    """As on the line: `gcp.vertex_ai`, `azure.ai.openai`."""
    g_per_kwh: float
    source: str
    """The publication or contract, so that a reader can find it."""
    valid_from: str
    valid_to: str | None = None
    """The first day after the period; None: until further notice."""
    region: str | None = None
    """As on the line; None: everywhere else."""

    def __post_init__(self) -> None:
        """Refuse what cannot be told apart from a slip."""
        if not self.provider.strip():
            raise ConfigError("provider: must be named, as on the ledger's lines: openai, gcp.vertex_ai, …")
        if not 0.0 <= self.g_per_kwh <= _MOST_G_PER_KWH:
            raise ConfigError(f"g_per_kwh: must be from 0 to 3000 g/kWh, not {self.g_per_kwh:g}")
        if not self.source.strip():
            raise ConfigError("source: must say where the supplier's figure is from: a title, an address, a contract")
        _check_day("valid_from", self.valid_from)
        if self.valid_to is not None:
            _check_day("valid_to", self.valid_to)
            if self.valid_to <= self.valid_from:
                raise ConfigError(f"valid_to: must be after valid_from: {self.valid_to} is not after {self.valid_from}")

    @property
    def citation(self) -> str:
        """Source and period in one line, as a ledger keeps it."""
        until = "on" if self.valid_to is None else f"to {self.valid_to}"
        return f"{self.source.strip()} (valid from {self.valid_from} {until})"


def check_figures(figures: Sequence[MarketFigure]) -> None:
    """Refuse two figures for one place on one day.

    Raises:
        ConfigError: the message names them.
    """
    for first, second in combinations(figures, 2):
        same_place = (first.provider, first.region) == (second.provider, second.region)
        if same_place and (_begins_within(first, second) or _begins_within(second, first)):
            where = first.provider if first.region is None else f"{first.provider} in {first.region}"
            raise ConfigError(
                f"market_based: has two figures for {where} on one day: from {first.valid_from} and from"
                f" {second.valid_from}; give the earlier one a valid_to"
            )


def find_figure(
    figures: Sequence[MarketFigure], provider: str | None, region: str | None, occurred_at: str
) -> MarketFigure | None:
    """Return the supplier's figure for a call, its time in ISO 8601: that of its region before the general one."""
    valid = [
        figure
        for figure in figures
        if figure.provider == provider
        and figure.region in {None, region}
        and figure.valid_from <= occurred_at
        and (figure.valid_to is None or occurred_at < figure.valid_to)
    ]
    return next((figure for figure in valid if figure.region is not None), valid[0] if valid else None)


def market_based_grams(energy_wh: Interval, g_per_kwh: float) -> Interval:
    """Return what the electricity of a call emitted by its supplier's own account, in gCO2e, without the hardware.

    `energy_wh` is facility energy. The figure itself is taken as exact: its uncertainty is not published.
    """
    return energy_wh.scaled(kwh_from_wh(g_per_kwh))


def _begins_within(one: MarketFigure, other: MarketFigure) -> bool:
    return other.valid_from <= one.valid_from and (other.valid_to is None or one.valid_from < other.valid_to)


def _check_day(name: str, text: str) -> None:
    try:
        known = len(text) == len("2024-01-01") and bool(date.fromisoformat(text))
    except ValueError:
        known = False
    if not known:
        raise ConfigError(f"{name}: must be a day such as 2024-01-01, not {text!r}")
