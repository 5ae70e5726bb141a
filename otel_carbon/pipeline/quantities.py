"""What the counters need to know of one call, in plain values. Pure functions."""

from __future__ import annotations

from otel_carbon.model import Call, Footprint, Interval, Outcome, Status
from otel_carbon.pipeline.sums import Bounds, Dimensions, Quantities

__all__ = ["quantities_of", "quantity_dimensions", "status_of"]

_ESTIMATED = Status.ESTIMATED.value


def quantity_dimensions(call: Call, outcome: Outcome) -> Dimensions:
    """Return the values of the attributes that the measurements of a call always have."""
    region = outcome.region.name if isinstance(outcome, Footprint) else None
    return (call.operation, call.provider, call.model or call.request_model, region)


def quantities_of(call: Call, outcome: Outcome) -> Quantities:
    """Return energy, emissions and tokens of a call, as far as they are known."""
    usage = call.usage
    tokens = (
        None
        if usage is None
        else (
            usage.uncached_input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.visible_output_tokens,
            usage.reasoning_tokens,
        )
    )
    if not isinstance(outcome, Footprint):
        return None, None, tokens
    return _bounds(outcome.energy_wh), _bounds(outcome.co2e_grams), tokens


def status_of(outcome: Outcome) -> str:
    """Return how a call came out, as a plain string: hashing a member of an enumeration runs Python code."""
    return _ESTIMATED if isinstance(outcome, Footprint) else outcome.status.value


def _bounds(interval: Interval | None) -> Bounds | None:
    return None if interval is None else (interval.central, interval.low, interval.high)
