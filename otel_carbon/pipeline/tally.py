"""Running totals of what was estimated: the source of every counter that leaves the program.

The gateway's `carbon_metrics` connector and the in-app meter both add to a `Tally` and read it as cumulative sums.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from otel_carbon.errors import ConfigError
from otel_carbon.model import Attribution, Call, Outcome, Reversal, Status, believed_count
from otel_carbon.pipeline.parties import METRIC_PARTIES, check_parties
from otel_carbon.pipeline.quantities import quantities_of, quantity_dimensions, status_of
from otel_carbon.pipeline.sums import TOKEN_KINDS, AttributeSet, Dimensions, Quantities, Sums
from otel_carbon.semconv.carbon import (
    METRIC_OTEL_CARBON_CALLS,
    METRIC_OTEL_CARBON_CALLS_REVERSED,
    METRIC_OTEL_CARBON_CO2E,
    METRIC_OTEL_CARBON_CO2E_HIGH,
    METRIC_OTEL_CARBON_CO2E_LOW,
    METRIC_OTEL_CARBON_CO2E_REVERSED,
    METRIC_OTEL_CARBON_ENERGY,
    METRIC_OTEL_CARBON_ENERGY_HIGH,
    METRIC_OTEL_CARBON_ENERGY_LOW,
    METRIC_OTEL_CARBON_ENERGY_REVERSED,
    METRIC_OTEL_CARBON_ENRICHED_SPANS,
    METRIC_OTEL_CARBON_TOKENS,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_STATUS,
    OTEL_CARBON_TOKEN_KIND,
)
from otel_carbon.semconv.gen_ai import GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL
from otel_carbon.units import joules_from_wh

__all__ = [
    "DEFAULT_ATTRIBUTE_LIMIT",
    "DEFAULT_CARDINALITY_LIMIT",
    "OVERFLOW",
    "OVERFLOW_VALUE",
    "Tally",
    "measurement_attributes",
]

DEFAULT_CARDINALITY_LIMIT = 2000
"""Attribute sets per metric, the default of the metrics SDK specification (Cardinality limits)."""
DEFAULT_ATTRIBUTE_LIMIT = 500
"""Values per attribute."""

OVERFLOW: AttributeSet = (("otel.metric.overflow", "true"),)
"""The set that takes every measurement beyond the limit, as the specification names it."""

OVERFLOW_VALUE = "otel_carbon.overflow"
"""What takes the values of one attribute beyond its limit, so that one unruly attribute cannot hide the others."""

_KEYS = (GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL, OTEL_CARBON_REGION_NAME)
_ESTIMATED = Status.ESTIMATED.value
_CALLS_WITHOUT_ESTIMATE = (Status.NO_USAGE.value, Status.UNKNOWN_MODEL.value)


def measurement_attributes(call: Call, outcome: Outcome) -> AttributeSet:
    """Return the attributes that the measurements of this call carry. What is not known is left out."""
    return _named(_KEYS, quantity_dimensions(call, outcome))


class Tally:
    """Thread-safe sums of footprints, tokens and spans by their low-cardinality attributes.

    Args:
        cardinality_limit: attribute sets that are kept at most; what comes after is added to the set `OVERFLOW`.
        attribute_limit: values of one attribute that are kept at most; each further one becomes `OVERFLOW_VALUE`.
        parties: which parties that a call is accounted to are attributes too, of `METRIC_PARTIES`.

    Whatever the limits, the totals stay right.

    Raises:
        ConfigError: a limit leaves no room, or a party cannot be an attribute.
    """

    def __init__(
        self,
        cardinality_limit: int = DEFAULT_CARDINALITY_LIMIT,
        attribute_limit: int = DEFAULT_ATTRIBUTE_LIMIT,
        parties: tuple[str, ...] = (),
    ) -> None:
        check_parties(parties)
        for name, limit in (("cardinality_limit", cardinality_limit), ("attribute_limit", attribute_limit)):
            if limit < 1:
                raise ConfigError(f"{name} must be at least 1")
        self.parties = parties
        self.lock = threading.Lock()
        """To be held while sums are looked for, and added to by `Sums.add_again`."""
        self._limit = cardinality_limit
        self._attribute_limit = attribute_limit
        self._keys = (*_KEYS, *(METRIC_PARTIES[party] for party in parties))
        self._values: tuple[set[str], ...] = tuple(set() for _ in self._keys)
        self._quantities: dict[Dimensions, Sums] = {}
        self._other_spans: dict[Dimensions, int] = {}
        self._reversed: dict[AttributeSet, list[float]] = {}

    def add(
        self, call: Call, outcome: Outcome, adjusted_count: float = 1.0, attribution: Attribution | None = None
    ) -> Sums | None:
        """Add one call that this stage marked with this outcome. Returns the sums that its quantities are in, if any.

        Quantities are multiplied by `adjusted_count`, the number of calls that a sampled one stands for; a value that
        is implausible counts as one. The span itself is counted once.
        """
        dimensions = (*quantity_dimensions(call, outcome), *self.named(attribution))
        return self.add_measured(
            dimensions, status_of(outcome), quantities_of(call, outcome), believed_count(adjusted_count)
        )

    def add_measured(self, dimensions: Dimensions, status: str, quantities: Quantities, count: float) -> Sums | None:
        """Add one call of which no more is known than what is counted, as `add` does."""
        with self.lock:
            if status == _ESTIMATED:
                sums = self.sums(dimensions)
                sums.estimated_spans += 1
            else:
                self._count_span((status, self._within_limit(1, dimensions[1])))
                if status not in _CALLS_WITHOUT_ESTIMATE:
                    return None
                sums = self.sums(dimensions)
            sums.add(quantities, count)
            return sums

    def named(self, attribution: Attribution | None) -> Dimensions:
        """Return who a call is accounted to, as far as the metrics say so."""
        return tuple(getattr(attribution, party, None) for party in self.parties)

    def sums(self, dimensions: Dimensions) -> Sums:
        """Return the sums of these dimensions, or those that take what is beyond a limit. Needs `lock`."""
        quantities = self._quantities
        sums = quantities.get(dimensions)
        if sums is not None:
            return sums
        kept = tuple(self._within_limit(at, value) for at, value in enumerate(dimensions))
        if kept not in quantities and len(quantities) >= self._limit - 1:
            kept = ()
        sums = quantities.get(kept)
        if sums is None:
            sums = quantities[kept] = Sums(kept, _named(self._keys, kept))
        return sums

    def add_reversed(self, taken: Reversal) -> None:
        """Add what the ledger took back; what is net is the counter minus its `.reversed`."""
        taken_back = self._reversed
        values = dict(zip(self._keys[len(_KEYS) :], self.named(taken.attribution), strict=True)) | dict(
            taken.attributes
        )
        with self.lock:
            kept = tuple(self._within_limit(at, values.get(key)) for at, key in enumerate(self._keys))
            attributes = _named(self._keys, kept)
            if attributes not in taken_back and len(taken_back) >= self._limit - 1:
                attributes = OVERFLOW
            sums = taken_back.setdefault(attributes, [0.0, 0.0, 0.0])
            for at, amount in enumerate((taken.calls, taken.co2e_grams, taken.energy_wh)):
                sums[at] += amount

    def snapshot(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the cumulative sums by metric and attribute set, in the metric's unit (energy in J)."""
        with self.lock:
            quantities = [sums.copy() for sums in self._quantities.values()]
            spans = dict(self._other_spans)
            taken_back = {attributes: tuple(sums) for attributes, sums in self._reversed.items()}
        for sums in quantities:
            if sums.estimated_spans:
                key = (_ESTIMATED, sums.dimensions[1]) if sums.dimensions else ()
                spans[key] = spans.get(key, 0) + sums.estimated_spans
        result = _quantity_sums(quantities)
        result[METRIC_OTEL_CARBON_ENRICHED_SPANS] = {_span_attributes(key): float(n) for key, n in spans.items()}
        result |= _reversed_sums(taken_back)
        return result

    def reset_after_fork(self) -> None:
        """Begin at zero in a child process, with a lock that no thread of the parent can hold."""
        self.lock = threading.Lock()
        for sums in self._quantities.values():
            sums.clear()  # whoever holds them goes on to add to them
        self._other_spans = {}
        self._reversed = {}

    def _count_span(self, dimensions: Dimensions) -> None:
        spans = self._other_spans
        if dimensions not in spans and len(spans) >= self._limit - 1:
            dimensions = ()
        spans[dimensions] = spans.get(dimensions, 0) + 1

    def _within_limit(self, at: int, value: str | None) -> str | None:
        known = self._values[at]
        if value is None or value in known:
            return value
        if len(known) >= self._attribute_limit:
            return OVERFLOW_VALUE
        known.add(value)
        return value


def _span_attributes(dimensions: Dimensions) -> AttributeSet:
    return _named((OTEL_CARBON_STATUS, GEN_AI_PROVIDER_NAME), dimensions)


def _named(keys: tuple[str, ...], dimensions: Dimensions) -> AttributeSet:
    if not dimensions:
        return OVERFLOW
    return tuple(sorted((key, value) for key, value in zip(keys, dimensions, strict=True) if value is not None))


def _quantity_sums(quantities: list[Sums]) -> dict[str, dict[AttributeSet, float]]:
    co2e_names = (METRIC_OTEL_CARBON_CO2E, METRIC_OTEL_CARBON_CO2E_LOW, METRIC_OTEL_CARBON_CO2E_HIGH)
    energy_names = (METRIC_OTEL_CARBON_ENERGY, METRIC_OTEL_CARBON_ENERGY_LOW, METRIC_OTEL_CARBON_ENERGY_HIGH)
    result: dict[str, dict[AttributeSet, float]] = {name: {} for name in (*co2e_names, *energy_names)}
    tokens: dict[AttributeSet, float] = {}
    calls: dict[AttributeSet, float] = {}
    for sums in quantities:
        attributes = sums.attributes
        if sums.calls:
            calls[attributes] = sums.calls
        for name, grams in zip(co2e_names, sums.co2e_grams or (), strict=False):
            result[name][attributes] = grams
        for name, wh in zip(energy_names, sums.energy_wh or (), strict=False):
            result[name][attributes] = joules_from_wh(wh)
        for kind, count in zip(TOKEN_KINDS, sums.tokens or (), strict=False):
            of_kind = sorted((*attributes, (OTEL_CARBON_TOKEN_KIND, kind)))
            kind_attributes = tuple(of_kind) if sums.dimensions else OVERFLOW
            tokens[kind_attributes] = tokens.get(kind_attributes, 0.0) + count
    result[METRIC_OTEL_CARBON_TOKENS] = tokens
    result[METRIC_OTEL_CARBON_CALLS] = calls
    return result


def _reversed_sums(taken_back: Mapping[AttributeSet, tuple[float, ...]]) -> dict[str, dict[AttributeSet, float]]:
    result: dict[str, dict[AttributeSet, float]] = {
        METRIC_OTEL_CARBON_CALLS_REVERSED: {},
        METRIC_OTEL_CARBON_CO2E_REVERSED: {},
        METRIC_OTEL_CARBON_ENERGY_REVERSED: {},
    }
    for attributes, (calls, co2e_grams, energy_wh) in taken_back.items():
        result[METRIC_OTEL_CARBON_CALLS_REVERSED][attributes] = calls
        if co2e_grams:
            result[METRIC_OTEL_CARBON_CO2E_REVERSED][attributes] = co2e_grams
        if energy_wh:
            result[METRIC_OTEL_CARBON_ENERGY_REVERSED][attributes] = joules_from_wh(energy_wh)
    return result
