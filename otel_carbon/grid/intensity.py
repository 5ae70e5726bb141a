"""What a publisher of hourly grid intensities has to be able to do, for those that come with otel-carbon and others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from otel_carbon.model import GridReading

__all__ = ["IntensityProvider", "significant", "zone_of"]


class IntensityProvider(Protocol):
    """Asks one publisher for average life-cycle intensities, in g/kWh.

    Marginal intensities answer another question (what one more kWh changes) and do not belong in an inventory.
    """

    @property
    def source_id(self) -> str:
        """Return what names the publication on every span and line, such as `electricitymaps-v4-hourly`."""
        ...

    @property
    def period_s(self) -> int:
        """Return the length of the periods that the publisher averages over, in s."""
        ...

    @property
    def longest_span_s(self) -> int:
        """Return how much time one request may ask for, in s."""
        ...

    def place(self, grid_keys: tuple[str, ...]) -> str | None:
        """Return what the publisher is asked for by one of these keys of a grid; None: it does not cover it.

        Keys are cloud regions (`aws:eu-west-1`) and zones (`IE`), best first. Called while a span ends.
        """
        ...

    def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
        """Return the readings of a place that there are between two times, both at the border of a period.

        May return more than was asked for, or nothing. Blocks; called by one thread.

        Raises:
            GridPlaceError: the publisher does not know this place.
            GridSourceError: it gave no answer that can be used.
        """
        ...


def zone_of(grid_keys: Iterable[str]) -> str | None:
    """Return the zone among the keys of a grid."""
    return next((key for key in grid_keys if ":" not in key), None)


def significant(g_per_kwh: float) -> float:
    """Return an intensity with six significant digits, all that a span keeps of it: then both are equal.

    Raises:
        ValueError: it is not a number.
    """
    return float(f"{g_per_kwh:.6g}")
