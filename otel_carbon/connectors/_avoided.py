"""What calls would have used in addition if nothing had come from the provider's prompt cache."""

from __future__ import annotations

from dataclasses import replace

from otel_carbon.estimator import Estimator
from otel_carbon.model import Call, Footprint, Interval, Usage
from otel_carbon.pipeline.sums import AttributeSet
from otel_carbon.semconv.carbon import (
    METRIC_OTEL_CARBON_CACHE_AVOIDED_CO2E,
    METRIC_OTEL_CARBON_CACHE_AVOIDED_ENERGY,
)
from otel_carbon.units import joules_from_wh

__all__ = ["Avoidance", "Avoided", "Saved"]


Saved = tuple[float, float]
"""Emissions in g and energy in Wh."""


class Avoidance:
    """Estimates what single calls saved. Without an estimator nothing is known."""

    def __init__(self, estimator: Estimator | None) -> None:
        self._estimator = estimator

    def of(self, call: Call, footprint: Footprint) -> Saved | None:
        """Return what a call saved, if it read from the cache and a factor tells what that saved."""
        usage = call.usage
        # Where two readings of the counts bound the interval, nobody knows how many tokens the cache took the place of.
        if self._estimator is None or usage is None or not usage.cache_read_tokens or call.usage_alternative:
            return None
        without = self._estimator.estimate(replace(call, usage=_uncached(usage)))
        if not isinstance(without, Footprint):
            return None
        saved = _more(without.co2e_grams, footprint.co2e_grams), _more(without.energy_wh, footprint.energy_wh)
        return saved if any(saved) else None


class Avoided:
    """Sums by attribute set, which are bounded by where they come from. Not for several threads."""

    def __init__(self) -> None:
        self._by_attributes: dict[AttributeSet, list[float]] = {}

    def add(self, attributes: AttributeSet, saved: Saved, count: float) -> None:
        """Add what a call saved."""
        sums = self._by_attributes.setdefault(attributes, [0.0, 0.0])
        sums[0] += saved[0] * count
        sums[1] += saved[1] * count

    def snapshot(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the cumulative sums by metric and attribute set, in the metric's unit."""
        found = {attributes: tuple(sums) for attributes, sums in self._by_attributes.items()}
        return {
            METRIC_OTEL_CARBON_CACHE_AVOIDED_CO2E: {key: co2e_grams for key, (co2e_grams, _) in found.items()},
            METRIC_OTEL_CARBON_CACHE_AVOIDED_ENERGY: {key: joules_from_wh(wh) for key, (_, wh) in found.items()},
        }


def _uncached(usage: Usage) -> Usage:
    tokens = usage.uncached_input_tokens + usage.cache_read_tokens
    return replace(usage, uncached_input_tokens=tokens, cache_read_tokens=0)


def _more(without: Interval | None, used: Interval | None) -> float:
    """Return by how much one estimate exceeds another; a counter cannot fall, so never less than nothing."""
    return 0.0 if without is None or used is None else max(0.0, without.central - used.central)
