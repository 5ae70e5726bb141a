"""The instruments of one meter provider, and the sums behind them."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
from opentelemetry.trace import SpanContext, TraceFlags

from otel_carbon._version import __version__
from otel_carbon.model import Attribution, Call, Footprint, Outcome
from otel_carbon.pipeline.quantities import quantity_dimensions
from otel_carbon.pipeline.sums import AttributeSet, Sums
from otel_carbon.pipeline.tally import OVERFLOW, Tally
from otel_carbon.processors.meter_series import Series
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
    METRIC_OTEL_CARBON_OPERATION_CO2E,
    METRIC_OTEL_CARBON_TOKENS,
    METRICS,
)

__all__ = ["Instruments"]

_OBSERVED = (
    METRIC_OTEL_CARBON_ENRICHED_SPANS,
    METRIC_OTEL_CARBON_CO2E_LOW,
    METRIC_OTEL_CARBON_CO2E_HIGH,
    METRIC_OTEL_CARBON_ENERGY,
    METRIC_OTEL_CARBON_ENERGY_LOW,
    METRIC_OTEL_CARBON_ENERGY_HIGH,
    METRIC_OTEL_CARBON_TOKENS,
    METRIC_OTEL_CARBON_CALLS,
    METRIC_OTEL_CARBON_CALLS_REVERSED,
    METRIC_OTEL_CARBON_CO2E_REVERSED,
    METRIC_OTEL_CARBON_ENERGY_REVERSED,
)
"""Counters that are read when a reader collects. The first one's callback takes the snapshot for all of them."""

_KEPT_EXAMPLES = 256
_SAMPLED = TraceFlags.SAMPLED

_Example = tuple[Sums, float, SpanContext]
"""One measurement that may become an exemplar: in what sums, how many grams, and whose."""


class Instruments:
    """The instruments of one meter provider, and the sums behind them."""

    def __init__(self, provider: MeterProvider, tally: Tally, *, histogram: bool) -> None:
        self._provider = provider
        self.tally = tally
        self._collecting = threading.Lock()
        self._sums: dict[str, dict[AttributeSet, float]] = {}
        self._counted_grams: dict[AttributeSet, float] = {}
        self.examples: deque[_Example] = deque(maxlen=_KEPT_EXAMPLES)
        meter = provider.get_meter("otel_carbon", __version__)
        co2e = METRICS[METRIC_OTEL_CARBON_CO2E]
        self._co2e = meter.create_counter(co2e.name, co2e.unit, co2e.brief)
        self.operation_co2e = _operation_histogram(meter) if histogram else None
        self._observed = [self._observe(meter, name) for name in _OBSERVED]
        _reset_after_fork(self)

    def record(
        self,
        call: Call,
        outcome: Outcome,
        span_context: SpanContext,
        adjusted_count: float,
        attribution: Attribution | None,
    ) -> Series | None:
        """Count one call; see `CarbonMeter.record`."""
        sums = self.tally.add(call, outcome, adjusted_count, attribution)
        if sums is None or not isinstance(outcome, Footprint) or outcome.co2e_grams is None:
            return None
        series = Series(self.tally, sums, quantity_dimensions(call, outcome), self.measured)
        self.measured(sums, outcome.co2e_grams.central, span_context, adjusted_count)
        return series

    def measured(self, sums: Sums, co2e_grams: float, span_context: SpanContext, adjusted_count: float) -> None:
        """Take one call for exemplars, and for the distribution where there is one."""
        if span_context.trace_flags & _SAMPLED:
            self.examples.append((sums, co2e_grams * adjusted_count, span_context))
        if self.operation_co2e is not None:
            self.operation_co2e.record(co2e_grams, _exported(sums.attributes), _context_of(span_context))

    def reset(self) -> None:
        """Begin at zero in a child process: what was counted before the fork is the parent's to export."""
        self.tally.reset_after_fork()
        self._collecting = threading.Lock()
        self._sums = {}
        self._counted_grams = {}
        self.examples = deque(maxlen=_KEPT_EXAMPLES)
        _forget_totals(self._provider, [self._co2e, self.operation_co2e, *self._observed])

    def _observe(self, meter: Meter, name: str) -> Any:
        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            if name == _OBSERVED[0]:
                self._refresh()
            return [Observation(value, _exported(attributes)) for attributes, value in self._sums.get(name, {}).items()]

        metric = METRICS[name]
        return meter.create_observable_counter(metric.name, [callback], metric.unit, metric.brief)

    def _refresh(self) -> None:
        with self._collecting:
            # Examples before sums: then every example is part of the sums that it is taken out of.
            examples = _latest(self.examples)
            self._sums = self.tally.snapshot()
            for attributes, total_grams in self._sums[METRIC_OTEL_CARBON_CO2E].items():
                added_grams = total_grams - self._counted_grams.get(attributes, 0.0)
                if added_grams > 0.0 or attributes not in self._counted_grams:
                    self._counted_grams[attributes] = total_grams
                    self._add_co2e(attributes, added_grams, examples.get(attributes))

    def _add_co2e(self, attributes: AttributeSet, co2e_grams: float, example: _Example | None) -> None:
        exported = _exported(attributes)
        if example is not None:
            _, example_grams, span_context = example
            of_example_grams = min(co2e_grams, example_grams)
            self._co2e.add(of_example_grams, exported, _context_of(span_context))
            co2e_grams -= of_example_grams
        if co2e_grams > 0.0 or example is None:
            self._co2e.add(co2e_grams, exported, _context_of(trace.INVALID_SPAN_CONTEXT))


def _operation_histogram(meter: Meter) -> metrics.Histogram:
    metric = METRICS[METRIC_OTEL_CARBON_OPERATION_CO2E]
    return meter.create_histogram(
        metric.name, metric.unit, metric.brief, explicit_bucket_boundaries_advisory=metric.bucket_boundaries
    )


def _latest(examples: deque[_Example]) -> dict[AttributeSet, _Example]:
    taken = [examples.popleft() for _ in range(len(examples))]
    return {sums.attributes: (sums, co2e_grams, span_context) for sums, co2e_grams, span_context in taken}


def _exported(attributes: AttributeSet) -> dict[str, str | bool]:
    return {"otel.metric.overflow": True} if attributes == OVERFLOW else dict(attributes)


def _context_of(span_context: SpanContext) -> Context:
    # When a span ends, the current context is already its parent's. An empty context would be taken for none.
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), Context())


def _reset_after_fork(instruments: Instruments) -> None:
    reference = weakref.ref(instruments)

    def reset() -> None:
        living = reference()
        if living is not None:
            living.reset()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)


def _forget_totals(provider: MeterProvider, instruments: list[Any]) -> None:
    """Drop what the SDK aggregated for these instruments, where this SDK keeps it in the known place.

    The SDK itself carries a counter's total into a forked child, which then reports its parent's share again. Its
    storage makes an instrument's state anew when it is missing.
    """
    consumer = getattr(provider, "_measurement_consumer", None)
    for storage in dict(getattr(consumer, "_reader_storages", {})).values():
        states = getattr(storage, "_instrument_view_instrument_matches", {})
        for instrument in instruments:
            states.pop(instrument, None)
