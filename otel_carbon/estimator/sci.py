"""Software Carbon Intensity (ISO/IEC 21031:2024): SCI = (E · I + M) / R.

E is energy at the meter, I the location-based intensity of the grid, M the embodied emissions of the hardware, R the
functional unit. Offsets and market instruments do not count. Training is outside: this is the boundary of a consumer.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.model import Footprint, Interval, Usage, input_tokens, output_tokens

__all__ = ["Sci", "sci", "sci_of_call"]

_TOKENS_PER_UNIT = 1000.0


@dataclass(frozen=True, slots=True)
class Sci:
    """Software Carbon Intensity of one call, in g CO2e per functional unit."""

    per_call_g: Interval
    per_1k_tokens_g: Interval
    """Per thousand tokens, input and output alike."""


def sci(footprint: Footprint, functional_units: float) -> Interval | None:
    """Return g CO2e per functional unit (R); None where the factor set gives no operational or no embodied part.

    Raises:
        ValueError: there is no functional unit to share the emissions among.
    """
    if not functional_units > 0.0:
        raise ValueError(f"functional units must be above zero, not {functional_units!r}")
    if (
        footprint.co2e_grams is None
        or footprint.co2e_operational_grams is None
        or footprint.co2e_embodied_grams is None
    ):
        return None
    # E · I is the operational part; the sum of both keeps the bounds of the total, which are not those of its parts.
    return footprint.co2e_grams.scaled(1.0 / functional_units)


def sci_of_call(footprint: Footprint, usage: Usage) -> Sci | None:
    """Return the intensity per call and per thousand tokens; None where the factor set does not give its terms."""
    tokens = input_tokens(usage) + output_tokens(usage)
    per_call = sci(footprint, 1.0)
    per_1k_tokens = sci(footprint, tokens / _TOKENS_PER_UNIT) if tokens else None
    return None if per_call is None or per_1k_tokens is None else Sci(per_call, per_1k_tokens)
