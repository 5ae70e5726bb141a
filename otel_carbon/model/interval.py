"""A quantity that is not known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Z90", "Interval"]

Z90 = 1.6448536269514722
"""Standard normal quantile of 95 %: low and high are meant as the 5th and 95th percentile."""

_LOWEST_RATIO = 50.0  # low is taken as at least central / 50 when a spread is computed


@dataclass(frozen=True, slots=True)
class Interval:
    """Low, central and high value of one quantity, an approximate 90 % interval.

    It has no mean and no order: two intervals cannot be compared with `<`.

    Raises:
        ValueError: the values are not finite or not in order.
    """

    low: float
    central: float
    high: float

    def __post_init__(self) -> None:
        """Refuse what is not an interval."""
        # NaN fails every comparison, so one chain checks order and finiteness together.
        if not -math.inf < self.low <= self.central <= self.high < math.inf:
            raise ValueError(f"not an interval: low {self.low}, central {self.central}, high {self.high}")

    def __add__(self, other: Interval) -> Interval:
        """Return the sum of two fully correlated quantities: bounds add linearly."""
        return Interval(self.low + other.low, self.central + other.central, self.high + other.high)

    def __mul__(self, other: Interval) -> Interval:
        """Return the product of two independent split log-normal quantities."""
        below = math.hypot(self.spread_below(), other.spread_below())
        above = math.hypot(self.spread_above(), other.spread_above())
        return Interval.around(self.central * other.central, below, above)

    def scaled(self, ratio: float) -> Interval:
        """Return the interval times an exact, non-negative ratio."""
        return Interval(self.low * ratio, self.central * ratio, self.high * ratio)

    def spread_below(self) -> float:
        """Return the log-normal standard deviation of the lower side (0 for an exact or zero value)."""
        if self.central <= 0.0:
            return 0.0
        return math.log(self.central / max(self.low, self.central / _LOWEST_RATIO)) / Z90

    def spread_above(self) -> float:
        """Return the log-normal standard deviation of the upper side (0 for an exact or zero value)."""
        if self.central <= 0.0:
            return 0.0
        return math.log(self.high / self.central) / Z90

    @classmethod
    def around(cls, central: float, spread_below: float, spread_above: float) -> Interval:
        """Return the interval with this centre and these log-normal standard deviations."""
        return cls(central * math.exp(-Z90 * spread_below), central, central * math.exp(Z90 * spread_above))

    @classmethod
    def exact(cls, value: float) -> Interval:
        """Return an interval without width."""
        return cls(value, value, value)
