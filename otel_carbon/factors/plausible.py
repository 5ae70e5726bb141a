"""Bounds that no real figure leaves, so that a value in the wrong unit is refused when its file is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_carbon.errors import FactorError

__all__ = ["BOUNDS", "Plausible", "check_plausible"]


@dataclass(frozen=True, slots=True)
class Plausible:
    """Least and greatest central value of a key, what it is given in, and why it cannot be beyond."""

    least: float
    greatest: float
    unit: str
    reason: str
    may_be_zero: bool = False


_TOKEN_ENERGY = Plausible(
    2.0,
    60_000.0,
    "Wh per 1M tokens",
    "measured models have 25 to 1,100 and the dearest published estimate 23,700; a flagship in kWh would be about 1",
)
_PREFILL_ENERGY = Plausible(
    0.2,
    20_000.0,
    "Wh per 1M tokens",
    "the smallest embedding model has about 1 and the dearest published estimate 1,470; a flagship in kWh would be 0.1",
    may_be_zero=True,
)
BOUNDS: Mapping[str, Plausible] = {
    "input_wh_per_1m": _PREFILL_ENERGY,
    "output_wh_per_1m": _TOKEN_ENERGY,
    "total_kwh_per_1m": Plausible(
        0.0005, 4.0, "kWh per 1M tokens", "published are 0.005 to 3; the same in Wh would be 5 and more"
    ),
    "total_g_per_1k": Plausible(
        0.005, 30.0, "gCO2e per 1k tokens", "published are 0.05 to 2.85; the same in kg would be 0.003 and less"
    ),
    "request_wh": Plausible(
        0.005, 100.0, "Wh per request", "published are 0.24 to 40; a prompt of 0.24 Wh is 0.00024 kWh or 864 J"
    ),
    "request_g": Plausible(0.002, 100.0, "gCO2e per request", "published are 0.03 to 1.14; 1.14 g is 0.00114 kg"),
    "request_ml": Plausible(0.01, 2000.0, "mL per request", "published are 0.26 to 45; 0.26 mL is 0.00026 L"),
    "wh_per_item of images": Plausible(
        0.005, 100.0, "Wh per image", "measured are 0.18 to 2.7 at the GPU; an image of 2 Wh is 0.002 kWh or 7,200 J"
    ),
    "wh_per_item of videos": Plausible(
        0.5, 20_000.0, "Wh per clip", "measured are 8 to 371 at the GPU; a clip of 100 Wh is 0.1 kWh or 360,000 J"
    ),
    "wh_per_item of audio_seconds": Plausible(
        0.0001, 10.0, "Wh per second of audio", "a whole GPU of 700 W that is busy for that second draws 0.19 Wh"
    ),
    "g_per_kwh": Plausible(
        1.0, 3000.0, "gCO2e per kWh", "grids have about 10 to 1,300 over the life cycle; a coal grid in kg would be 0.9"
    ),
}
"""Keys of a factor-set file with their bounds. Low and high may lie beyond; they say what is not known."""


def check_plausible(where: str, key: str, value: float) -> None:
    """Refuse a central value that can only be one in another unit.

    Raises:
        FactorError: it is out of bounds. The message names the row, the field, the bounds and their reason.
    """
    bounds = BOUNDS.get(key)
    if bounds is None or bounds.least <= value <= bounds.greatest or (bounds.may_be_zero and value == 0.0):
        return
    raise FactorError(
        f"{where}: {key} is {value:g}; {bounds.unit} are plausible from {bounds.least:g} to {bounds.greatest:,g} "
        f"({bounds.reason}): check the unit"
    )
