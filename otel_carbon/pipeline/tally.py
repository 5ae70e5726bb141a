"""Running totals of what was estimated: the source of every counter that leaves the program.

The gateway's `carbon_metrics` connector and the in-app meter both add to a `Tally` and read it as cumulative sums.
"""

from __future__ import annotations

import threading

from otel_carbon.model import Call, Footprint, Outcome, Status, believed_count
from otel_carbon.pipeline.sums import TOKEN_KINDS, AttributeSet, Dimensions, Sums
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

__all__ = ["DEFAULT_CARDINALITY_LIMIT", "OVERFLOW", "Tally", "measurement_attributes"]

DEFAULT_CARDINALITY_LIMIT = 2000
"""Attribute sets per metric, the default of the metrics SDK specification (Cardinality limits)."""

OVERFLOW: AttributeSet = (("otel.metric.overflow", "true"),)
"""The set that takes every measurement beyond the limit, as the specification names it."""

_ESTIMATED = Status.ESTIMATED.value


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
        self.lock = threading.Lock()
        """To be held while sums that `add` returned are added to by `Sums.add_again`."""
        self._quantities: dict[Dimensions, Sums] = {}
        self._other_spans: dict[Dimensions, int] = {}
        self._reversed_grams: dict[AttributeSet, float] = {}

    def add(self, call: Call, outcome: Outcome, adjusted_count: float = 1.0) -> Sums | None:
        """Add one call that this stage marked with this outcome. Returns the sums that its quantities are in, if any.

        Quantities are multiplied by `adjusted_count`, the number of calls that a sampled one stands for; a value that
        is implausible counts as one. The span itself is counted once.
        """
        count = believed_count(adjusted_count)
        with self.lock:
            if isinstance(outcome, Footprint):
                sums = self._sums(_quantity_dimensions(call, outcome))
                sums.estimated_spans += 1
                sums.add_footprint(outcome, count)
            else:
                # The value, not the member: hashing a member runs Python code.
                self._count_span((outcome.status.value, call.provider))
                if outcome.status is not Status.UNKNOWN_MODEL:
                    return None
                sums = self._sums(_quantity_dimensions(call, outcome))
            if call.usage is not None:
                sums.add_usage(call.usage, count)
            return sums

    def add_reversed(self, attributes: AttributeSet, co2e_grams: float) -> None:
        """Add emissions, in g, that the ledger took back; net emissions are `otel_carbon.co2e` minus these."""
        grams = self._reversed_grams
        with self.lock:
            if attributes not in grams and len(grams) >= self._limit - 1:
                attributes = OVERFLOW
            grams[attributes] = grams.get(attributes, 0.0) + co2e_grams

    def snapshot(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the cumulative sums by metric and attribute set, in the metric's unit (energy in J)."""
        with self.lock:
            quantities = [sums.copy() for sums in self._quantities.values()]
            spans = dict(self._other_spans)
            reversed_grams = dict(self._reversed_grams)
        for sums in quantities:
            if sums.estimated_spans:
                key = (_ESTIMATED, sums.dimensions[1]) if sums.dimensions else ()
                spans[key] = spans.get(key, 0) + sums.estimated_spans
        result = _quantity_sums(quantities)
        result[METRIC_OTEL_CARBON_ENRICHED_SPANS] = {_span_attributes(key): float(n) for key, n in spans.items()}
        result[METRIC_OTEL_CARBON_CO2E_REVERSED] = reversed_grams
        return result

    def reset_after_fork(self) -> None:
        """Begin at zero in a child process, with a lock that no thread of the parent can hold."""
        self.lock = threading.Lock()
        self._quantities = {}
        self._other_spans = {}
        self._reversed_grams = {}

    def _count_span(self, dimensions: Dimensions) -> None:
        spans = self._other_spans
        if dimensions not in spans and len(spans) >= self._limit - 1:
            dimensions = ()
        spans[dimensions] = spans.get(dimensions, 0) + 1

    def _sums(self, dimensions: Dimensions) -> Sums:
        quantities = self._quantities
        sums = quantities.get(dimensions)
        if sums is None:
            if len(quantities) >= self._limit - 1:
                dimensions = ()
            sums = quantities.get(dimensions)
            if sums is None:
                sums = quantities[dimensions] = Sums(dimensions, _quantity_attributes(dimensions))
        return sums


def _quantity_dimensions(call: Call, outcome: Outcome) -> Dimensions:
    region = outcome.region.name if isinstance(outcome, Footprint) else None
    return (call.operation, call.provider, call.model or call.request_model, region)


def _quantity_attributes(dimensions: Dimensions) -> AttributeSet:
    keys = (GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL, OTEL_CARBON_REGION_NAME)
    return _named(keys, dimensions)


def _span_attributes(dimensions: Dimensions) -> AttributeSet:
    status_and_provider = _named((OTEL_CARBON_STATUS, GEN_AI_PROVIDER_NAME), dimensions)
    return tuple(sorted(status_and_provider))


def _named(keys: tuple[str, ...], dimensions: Dimensions) -> AttributeSet:
    if not dimensions:
        return OVERFLOW
    return tuple((key, value) for key, value in zip(keys, dimensions, strict=True) if value is not None)


def _quantity_sums(quantities: list[Sums]) -> dict[str, dict[AttributeSet, float]]:
    co2e_names = (METRIC_OTEL_CARBON_CO2E, METRIC_OTEL_CARBON_CO2E_LOW, METRIC_OTEL_CARBON_CO2E_HIGH)
    energy_names = (METRIC_OTEL_CARBON_ENERGY, METRIC_OTEL_CARBON_ENERGY_LOW, METRIC_OTEL_CARBON_ENERGY_HIGH)
    result: dict[str, dict[AttributeSet, float]] = {name: {} for name in (*co2e_names, *energy_names)}
    tokens: dict[AttributeSet, float] = {}
    for sums in quantities:
        attributes = sums.attributes
        for name, grams in zip(co2e_names, sums.co2e_grams or (), strict=False):
            result[name][attributes] = grams
        for name, wh in zip(energy_names, sums.energy_wh or (), strict=False):
            result[name][attributes] = joules_from_wh(wh)
        for kind, count in zip(TOKEN_KINDS, sums.tokens or (), strict=False):
            kind_attributes = (*attributes, (OTEL_CARBON_TOKEN_KIND, kind)) if sums.dimensions else OVERFLOW
            tokens[kind_attributes] = tokens.get(kind_attributes, 0.0) + count
    result[METRIC_OTEL_CARBON_TOKENS] = tokens
    return result
