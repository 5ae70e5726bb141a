"""Rate cards: everything about an estimate that the token counts do not change, flattened for speed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import exp, log, sqrt

from otel_carbon.estimator.per_wh import PerWh
from otel_carbon.factors import TokenRates
from otel_carbon.model import Confidence, FactorRef, Footprint, Grid, Interval, Region, Usage

__all__ = ["LOWEST_RATIO", "MOST_WH_PER_1M", "RateCard", "apply_card", "rate_card"]

LOWEST_RATIO = 50.0
"""Low counts as at least central / 50 when a spread is computed, as in `Interval`."""

_MILLION = 1e6  # tokens that a rate is given for
_BEYOND_REASON_WH = 1e100  # far from where a product could leave the range of floats
MOST_WH_PER_1M = 1e50
"""What no token count that a span reader lets pass makes a call beyond reason with."""

# Checking five intervals would take a third of the time of an estimate. Those built here are in order and finite by
# construction, so their slots are set directly.
_new = object.__new__
_set_low, _set_central, _set_high = (Interval.__dict__[name].__set__ for name in ("low", "central", "high"))
# Likewise a frozen value of 14 fields takes half the time when its slots are set directly, in the order of its fields.
(
    _set_model,
    _set_energy,
    _set_it_energy,
    _set_co2e,
    _set_operational,
    _set_embodied,
    _set_water,
    _set_factor,
    _set_confidence,
    _set_region,
    _set_grid,
    _set_notes,
    _set_primary_energy,
    _set_abiotic_depletion,
) = (Footprint.__dict__[field.name].__set__ for field in fields(Footprint))

_Rates = tuple[float, float, float, float, float]
_Ratio = tuple[float, float, float]
"""A quantity per Wh, and its squared log spreads below and above."""
_Energy = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class RateCard:
    """Factors of one kind of call: Wh per 1M tokens of each kind, and per quantity (ratio, squared log spreads)."""

    low_wh_per_1m: _Rates
    central_wh_per_1m: _Rates
    high_wh_per_1m: _Rates
    it_energy: _Ratio
    energy: _Ratio
    co2e_operational: _Ratio
    co2e_embodied: _Ratio
    co2e: _Ratio
    water: _Ratio | None
    model: str
    factor: FactorRef
    confidence: Confidence
    region: Region
    grid: Grid
    notes: tuple[str, ...]
    grid_keys: tuple[str, ...] = ()
    """What a source of hourly intensities may know the grid by."""


def rate_card(
    rates: TokenRates,
    per_wh: PerWh,
    *,
    model: str,
    factor: FactorRef,
    confidence: Confidence,
    region: Region,
    grid: Grid,
    notes: tuple[str, ...] = (),
    grid_keys: tuple[str, ...] = (),
) -> RateCard:
    """Return the card of a kind of call."""
    kinds = rates.by_kind()
    return RateCard(
        low_wh_per_1m=_of_kinds([kind.low for kind in kinds]),
        central_wh_per_1m=_of_kinds([kind.central for kind in kinds]),
        high_wh_per_1m=_of_kinds([kind.high for kind in kinds]),
        it_energy=_ratio(per_wh.it_energy_wh),
        energy=_ratio(per_wh.energy_wh),
        co2e_operational=_ratio(per_wh.co2e_operational_grams),
        co2e_embodied=_ratio(per_wh.co2e_embodied_grams),
        co2e=_ratio(per_wh.co2e_grams),
        water=None if per_wh.water_liters is None else _ratio(per_wh.water_liters),
        model=model,
        factor=factor,
        confidence=confidence,
        region=region,
        grid=grid,
        notes=notes,
        grid_keys=grid_keys,
    )


def apply_card(card: RateCard, usage: Usage) -> Footprint:
    """Return the footprint of a call: `energy_wh(usage, rates)` times each quantity per Wh, as `Interval` multiplies.

    Raises:
        OverflowError: the token counts are beyond reason.
    """
    energy = _energy(
        card,
        usage.uncached_input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.visible_output_tokens,
        usage.reasoning_tokens,
    )
    if energy[2] > _BEYOND_REASON_WH:
        raise OverflowError(f"{energy[2]} Wh for one call")
    made = _new(Footprint)
    _set_model(made, card.model)
    _set_energy(made, _interval(*_times(energy, card.energy)))
    _set_it_energy(made, _interval(*_times(energy, card.it_energy)))
    _set_co2e(made, _interval(*_times(energy, card.co2e)))
    _set_operational(made, _interval(*_times(energy, card.co2e_operational)))
    _set_embodied(made, _interval(*_times(energy, card.co2e_embodied)))
    _set_water(made, None if card.water is None else _interval(*_times(energy, card.water)))
    _set_factor(made, card.factor)
    _set_confidence(made, card.confidence)
    _set_region(made, card.region)
    _set_grid(made, card.grid)
    _set_notes(made, card.notes)
    _set_primary_energy(made, None)
    _set_abiotic_depletion(made, None)
    return made


def _energy(  # noqa: PLR0917 - keywords would cost a tenth of an estimate
    card: RateCard, uncached: int, read: int, write: int, visible: int, reasoning: int
) -> _Energy:
    """Return the energy of a call in the boundary of its factor: low, central, high in Wh, squared log spreads."""
    a, b, c, d, e = card.low_wh_per_1m
    low = (uncached * a + read * b + write * c + visible * d + reasoning * e) / _MILLION
    a, b, c, d, e = card.central_wh_per_1m
    central = (uncached * a + read * b + write * c + visible * d + reasoning * e) / _MILLION
    a, b, c, d, e = card.high_wh_per_1m
    high = (uncached * a + read * b + write * c + visible * d + reasoning * e) / _MILLION
    if central > 0.0:
        return low, central, high, log(central / max(low, central / LOWEST_RATIO)) ** 2, log(high / central) ** 2
    return low, central, high, 0.0, 0.0


def _times(energy: _Energy, ratio: _Ratio) -> tuple[float, float, float]:
    """Return low, central and high of a quantity that a card gives per Wh."""
    low, central, high, below, above = energy
    per_wh, ratio_below, ratio_above = ratio
    value = central * per_wh
    if ratio_below == ratio_above == 0.0:
        return low * per_wh, value, high * per_wh
    return value * exp(-sqrt(below + ratio_below)), value, value * exp(sqrt(above + ratio_above))


def _interval(low: float, central: float, high: float) -> Interval:
    made = _new(Interval)
    _set_low(made, low)
    _set_central(made, central)
    _set_high(made, high)
    return made


def _of_kinds(rates_wh_per_1m: list[float]) -> _Rates:
    uncached, read, write, visible, reasoning = rates_wh_per_1m
    return uncached, read, write, visible, reasoning


def _ratio(per_wh: Interval) -> _Ratio:
    if per_wh.central <= 0.0:
        return 0.0, 0.0, 0.0
    below = log(per_wh.central / max(per_wh.low, per_wh.central / LOWEST_RATIO))
    return per_wh.central, below**2, log(per_wh.high / per_wh.central) ** 2
