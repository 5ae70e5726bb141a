"""Marks in their protobuf encoding: what `mark_attributes` says, at a fraction of its cost."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from otel_carbon.model import Footprint, NotEstimated, Outcome
from otel_carbon.pipeline.attributes_encoding import encode_double_head, encode_span_attributes
from otel_carbon.semconv.carbon import (
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    OTEL_CARBON_CO2E_GRAMS,
    OTEL_CARBON_CO2E_GRAMS_HIGH,
    OTEL_CARBON_CO2E_GRAMS_LOW,
    OTEL_CARBON_ENERGY_WH,
    OTEL_CARBON_ENERGY_WH_HIGH,
    OTEL_CARBON_ENERGY_WH_LOW,
)
from otel_carbon.spans import mark_attributes

__all__ = ["MarkEncoder"]

# The numbers that differ from call to call, in the order of `mark_attributes` and of `_Fill`.
_VARYING = (
    OTEL_CARBON_ENERGY_WH,
    OTEL_CARBON_ENERGY_WH_LOW,
    OTEL_CARBON_ENERGY_WH_HIGH,
    OTEL_CARBON_CO2E_GRAMS,
    OTEL_CARBON_CO2E_GRAMS_LOW,
    OTEL_CARBON_CO2E_GRAMS_HIGH,
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
)
_SIX_DIGITS = " ".join(["%.6g"] * len(_VARYING))
_MOST_REMEMBERED = 1024

_Fill = Callable[[Iterable[float]], bytes]


class MarkEncoder:
    """Encodes the marks of outcomes as fields of a `Span`. Thread-safe.

    Calls of one model in one place have marks that differ in seven numbers. An estimator gives such calls the same
    objects for everything else, so the objects are what a mark is remembered by; holding them keeps their ids theirs.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], tuple[_Fill | None, Footprint]] = {}

    def encode(self, outcome: Outcome) -> bytes:
        """Return the attributes of `mark_attributes(outcome)`."""
        if isinstance(outcome, NotEstimated):
            return encode_span_attributes(mark_attributes(outcome))
        energy, co2e, embodied = outcome.energy_wh, outcome.co2e_grams, outcome.co2e_embodied_grams
        if energy is None or co2e is None or embodied is None or outcome.water_liters is not None:
            return encode_span_attributes(mark_attributes(outcome))
        key = (id(outcome.factor), id(outcome.region), id(outcome.grid), id(outcome.confidence))
        known = self._known.get(key) or self._learn(key, outcome)
        if known[0] is None:
            return encode_span_attributes(mark_attributes(outcome))
        numbers = _SIX_DIGITS % (
            energy.central,
            energy.low,
            energy.high,
            co2e.central,
            co2e.low,
            co2e.high,
            embodied.central,
        )
        return known[0](map(float, numbers.split()))

    def _learn(self, key: tuple[int, int, int, int], outcome: Footprint) -> tuple[_Fill | None, Footprint]:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known = {}
        self._known[key] = known = (_fill(mark_attributes(outcome)), outcome)
        return known


def _fill(mark: dict[str, str | float]) -> _Fill | None:
    """Return a function that encodes this mark with other numbers, or None where the numbers are not as expected."""
    varying = [key for key in mark if key in _VARYING]
    if varying != list(_VARYING):
        return None
    between: list[bytes] = []
    constant = b""
    for key, value in mark.items():
        if key in _VARYING:
            between.append(constant + encode_double_head(key))
            constant = b""
        else:
            constant += encode_span_attributes({key: value})
    a, b, c, d, e, f, g = between
    layout = "".join(f"{len(each)}sd" for each in between)
    pack = struct.Struct(f"<{layout}{len(constant)}s").pack

    def fill(numbers: Iterable[float]) -> bytes:
        u, v, w, x, y, z, last = numbers
        return pack(a, u, b, v, c, w, d, x, e, y, f, z, g, last, constant)

    return fill
