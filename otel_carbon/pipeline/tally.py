"""Running totals of what was estimated: the source of every counter that leaves the program.

The gateway's `carbon_metrics` connector and the in-app meter both add to a `Tally` and read it as cumulative sums.
"""

from __future__ import annotations

import threading

from otel_carbon.model import Call, Footprint, Outcome, Status, Usage, believed_count
from otel_carbon.semconv.carbon import (
    METRIC_OTEL_CARBON_CO2E,
    METRIC_OTEL_CARBON_CO2E_HIGH,
    METRIC_OTEL_CARBON_CO2E_LOW,
    METRIC_OTEL_CARBON_CO2E_REVERSED,
    METRIC_OTEL_CARBON_ENERGY,
    METRIC_OTEL_CARBON_ENERGY_HIGH,
    METRIC_OTEL_CARBON_ENERGY_LOW,
    METRIC_OTEL_CARBON_ENRICHED_SPANS,
    METRIC_OTEL_CARBON_TOKENS,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_STATUS,
    OTEL_CARBON_TOKEN_KIND,
)
from otel_carbon.semconv.gen_ai import GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL
from otel_carbon.units import joules_from_wh

__all__ = ["DEFAULT_CARDINALITY_LIMIT", "OVERFLOW", "AttributeSet", "Tally", "measurement_attributes"]

AttributeSet = tuple[tuple[str, str], ...]
"""The attributes of one sum, sorted by key."""

DEFAULT_CARDINALITY_LIMIT = 2000
"""Attribute sets per metric, the default of the metrics SDK specification (Cardinality limits)."""

OVERFLOW: AttributeSet = (("otel.metric.overflow", "true"),)
"""The set that takes every measurement beyond the limit, as the specification names it."""

_Dimensions = tuple[str | None, ...]
_ESTIMATED = Status.ESTIMATED.value
_TOKEN_KINDS = ("cache_read", "cache_write", "reasoning", "uncached_input", "visible_output")


def measurement_attributes(call: Call, outcome: Outcome) -> AttributeSet:
    """Return the attributes that the measurements of this call carry. What is not known is left out."""
    return _quantity_attributes(_quantity_dimensions(call, outcome))


class Tally:
    """Thread-safe sums of footprints, tokens and spans by their low-cardinality attributes.

    At most `cardinality_limit` attribute sets are kept; what comes after is added to the set `OVERFLOW`, so that the
    totals stay right.
    """

    def __init__(self, cardinality_limit: int = DEFAULT_CARDINALITY_LIMIT) -> None:
        self._limit = cardinality_limit
        self._lock = threading.Lock()
        self._quantities: dict[_Dimensions, _Sums] = {}
        self._other_spans: dict[_Dimensions, int] = {}
        self._reversed_grams: dict[AttributeSet, float] = {}

    def add(self, call: Call, outcome: Outcome, adjusted_count: float = 1.0) -> None:
        """Add one call that this stage marked with this outcome.

        Quantities are multiplied by `adjusted_count`, the number of calls that a sampled one stands for; a value that
        is implausible counts as one. The span itself is counted once.
        """
        count = believed_count(adjusted_count)
        with self._lock:
            if isinstance(outcome, Footprint):
                sums = self._sums(
                    (call.operation, call.provider, call.model or call.request_model, outcome.region.name)
                )
                sums.estimated_spans += 1
                sums.add_footprint(outcome, count)
            else:
                # The value, not the member: hashing a member runs Python code.
                self._count_span((outcome.status.value, call.provider))
                if outcome.status is not Status.UNKNOWN_MODEL:
                    return
                sums = self._sums(_quantity_dimensions(call, outcome))
            if call.usage is not None:
                sums.add_usage(call.usage, count)

    def add_reversed(self, attributes: AttributeSet, co2e_grams: float) -> None:
        """Add emissions, in g, that the ledger took back; net emissions are `otel_carbon.co2e` minus these."""
        grams = self._reversed_grams
        with self._lock:
            if attributes not in grams and len(grams) >= self._limit - 1:
                attributes = OVERFLOW
            grams[attributes] = grams.get(attributes, 0.0) + co2e_grams

    def snapshot(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the cumulative sums by metric and attribute set, in the metric's unit (energy in J)."""
        with self._lock:
            quantities = [(dimensions, sums.copy()) for dimensions, sums in self._quantities.items()]
            spans = dict(self._other_spans)
            reversed_grams = dict(self._reversed_grams)
        for dimensions, sums in quantities:
            if sums.estimated_spans:
                key = (_ESTIMATED, dimensions[1]) if dimensions else ()
                spans[key] = spans.get(key, 0) + sums.estimated_spans
        result = _quantity_sums(quantities)
        result[METRIC_OTEL_CARBON_ENRICHED_SPANS] = {_span_attributes(key): float(n) for key, n in spans.items()}
        result[METRIC_OTEL_CARBON_CO2E_REVERSED] = reversed_grams
        return result

    def reset_after_fork(self) -> None:
        """Begin at zero in a child process, with a lock that no thread of the parent can hold."""
        self._lock = threading.Lock()
        self._quantities = {}
        self._other_spans = {}
        self._reversed_grams = {}

    def _count_span(self, dimensions: _Dimensions) -> None:
        spans = self._other_spans
        if dimensions not in spans and len(spans) >= self._limit - 1:
            dimensions = ()
        spans[dimensions] = spans.get(dimensions, 0) + 1

    def _sums(self, dimensions: _Dimensions) -> _Sums:
        quantities = self._quantities
        sums = quantities.get(dimensions)
        if sums is None:
            if len(quantities) >= self._limit - 1:
                dimensions = ()
            sums = quantities.setdefault(dimensions, _Sums())
        return sums


class _Sums:
    """The sums of one attribute set. A group without a contribution is absent from the snapshot, not zero."""

    __slots__ = ("co2e_grams", "energy_wh", "estimated_spans", "tokens")

    def __init__(self) -> None:
        self.estimated_spans = 0
        self.co2e_grams: list[float] | None = None
        self.energy_wh: list[float] | None = None
        self.tokens: list[float] | None = None

    def add_footprint(self, footprint: Footprint, count: float) -> None:
        co2e, energy = footprint.co2e_grams, footprint.energy_wh
        if co2e is not None:
            grams = self.co2e_grams
            if grams is None:
                grams = self.co2e_grams = [0.0, 0.0, 0.0]
            grams[0] += co2e.central * count
            grams[1] += co2e.low * count
            grams[2] += co2e.high * count
        if energy is not None:
            wh = self.energy_wh
            if wh is None:
                wh = self.energy_wh = [0.0, 0.0, 0.0]
            wh[0] += energy.central * count
            wh[1] += energy.low * count
            wh[2] += energy.high * count

    def add_usage(self, usage: Usage, count: float) -> None:
        tokens = self.tokens
        if tokens is None:
            tokens = self.tokens = [0.0] * len(_TOKEN_KINDS)
        tokens[3] += usage.uncached_input_tokens * count
        tokens[4] += usage.visible_output_tokens * count
        if usage.cache_read_tokens:
            tokens[0] += usage.cache_read_tokens * count
        if usage.cache_write_tokens:
            tokens[1] += usage.cache_write_tokens * count
        if usage.reasoning_tokens:
            tokens[2] += usage.reasoning_tokens * count

    def copy(self) -> _Sums:
        twin = _Sums()
        twin.estimated_spans = self.estimated_spans
        twin.co2e_grams = self.co2e_grams and self.co2e_grams.copy()
        twin.energy_wh = self.energy_wh and self.energy_wh.copy()
        twin.tokens = self.tokens and self.tokens.copy()
        return twin


def _quantity_dimensions(call: Call, outcome: Outcome) -> _Dimensions:
    region = outcome.region.name if isinstance(outcome, Footprint) else None
    return (call.operation, call.provider, call.model or call.request_model, region)


def _quantity_attributes(dimensions: _Dimensions) -> AttributeSet:
    keys = (GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL, OTEL_CARBON_REGION_NAME)
    return _named(keys, dimensions)


def _span_attributes(dimensions: _Dimensions) -> AttributeSet:
    status_and_provider = _named((OTEL_CARBON_STATUS, GEN_AI_PROVIDER_NAME), dimensions)
    return tuple(sorted(status_and_provider))


def _named(keys: tuple[str, ...], dimensions: _Dimensions) -> AttributeSet:
    if not dimensions:
        return OVERFLOW
    return tuple((key, value) for key, value in zip(keys, dimensions, strict=True) if value is not None)


def _quantity_sums(quantities: list[tuple[_Dimensions, _Sums]]) -> dict[str, dict[AttributeSet, float]]:
    co2e_names = (METRIC_OTEL_CARBON_CO2E, METRIC_OTEL_CARBON_CO2E_LOW, METRIC_OTEL_CARBON_CO2E_HIGH)
    energy_names = (METRIC_OTEL_CARBON_ENERGY, METRIC_OTEL_CARBON_ENERGY_LOW, METRIC_OTEL_CARBON_ENERGY_HIGH)
    result: dict[str, dict[AttributeSet, float]] = {name: {} for name in (*co2e_names, *energy_names)}
    tokens: dict[AttributeSet, float] = {}
    for dimensions, sums in quantities:
        attributes = _quantity_attributes(dimensions)
        for name, grams in zip(co2e_names, sums.co2e_grams or (), strict=False):
            result[name][attributes] = grams
        for name, wh in zip(energy_names, sums.energy_wh or (), strict=False):
            result[name][attributes] = joules_from_wh(wh)
        for kind, count in zip(_TOKEN_KINDS, sums.tokens or (), strict=False):
            kind_attributes = (*attributes, (OTEL_CARBON_TOKEN_KIND, kind)) if dimensions else OVERFLOW
            tokens[kind_attributes] = tokens.get(kind_attributes, 0.0) + count
    result[METRIC_OTEL_CARBON_TOKENS] = tokens
    return result
