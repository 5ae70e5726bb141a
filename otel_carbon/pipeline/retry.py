"""When to try again: the Collector's `retry_on_failure`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.duration import duration_s

__all__ = ["Backoff", "RetryConfig"]

_KEY = "retry_on_failure"


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Keys and defaults of the Collector's `configretry`, but for one.

    The Collector gives data up after 300 s. Here it has been acknowledged and lies in the journal, so it is tried for
    as long as the journal has room.

    Raises:
        ConfigError: a value is out of range.
    """

    enabled: bool = True
    """False: what fails once is given up."""
    initial_interval: str = "5s"
    randomization_factor: float = 0.5
    """Each wait is drawn from the interval times 1 minus to 1 plus this."""
    multiplier: float = 1.5
    max_interval: str = "30s"
    max_elapsed_time: str = "0s"
    """How long the same data is tried; `0s` is for ever."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        initial_s, longest_s, elapsed_s = (
            duration_s(getattr(self, name), f"{_KEY}::{name}")
            for name in ("initial_interval", "max_interval", "max_elapsed_time")
        )
        for name, waits_s in (("initial_interval", initial_s), ("max_interval", longest_s)):
            if waits_s <= 0:
                raise ConfigError(f"{_KEY}::{name}: must be longer than 0s, or a dead destination is asked on end")
        if 0 < elapsed_s < max(initial_s, longest_s):
            raise ConfigError(f"{_KEY}::max_elapsed_time: must not be less than initial_interval or max_interval")
        if not 0.0 <= self.randomization_factor <= 1.0:
            raise ConfigError(f"{_KEY}::randomization_factor must be between 0 and 1")
        if not self.multiplier >= 1.0:
            raise ConfigError(f"{_KEY}::multiplier must be at least 1")


class Backoff:
    """The waits for one piece of data, from its first failure to its delivery.

    `random` returns a number from 0 up to 1 (`random.random`).
    """

    def __init__(self, config: RetryConfig, random: Callable[[], float]) -> None:
        self._config = config
        self._random = random
        self._interval_s = duration_s(config.initial_interval, _KEY)
        self._max_interval_s = duration_s(config.max_interval, _KEY)
        self._max_elapsed_s = duration_s(config.max_elapsed_time, _KEY)

    def next_wait_s(self, elapsed_s: float, asked_s: float | None = None) -> float | None:
        """Return how long to wait now, in s, or None to give up.

        `elapsed_s` is the time since the first attempt, `asked_s` the wait that the destination asked for, which is
        never undercut and from which later waits grow.
        """
        if not self._config.enabled:
            return None
        spread_s = self._interval_s * self._config.randomization_factor
        wait_s = self._interval_s - spread_s + 2 * spread_s * self._random()
        wait_s = max(wait_s, asked_s or 0.0)
        grown_s = max(self._interval_s, asked_s or 0.0) * self._config.multiplier
        self._interval_s = min(grown_s, self._max_interval_s)
        if self._max_elapsed_s and elapsed_s + wait_s > self._max_elapsed_s:
            return None
        return wait_s
