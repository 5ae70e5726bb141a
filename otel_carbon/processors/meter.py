"""The in-app counters: what the span processor estimated, through the application's own meter provider."""

from __future__ import annotations

import threading

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import SpanContext

from otel_carbon.model import Attribution, Call, Outcome, Reversal
from otel_carbon.pipeline.tally import DEFAULT_ATTRIBUTE_LIMIT, Tally
from otel_carbon.processors.meter_instruments import Instruments
from otel_carbon.processors.meter_series import Series

__all__ = ["CarbonMeter"]


class CarbonMeter:
    """Counts estimates in the counters of the `otel_carbon` convention.

    Nothing is counted, and nothing is paid, until a meter provider is set up; then the instruments are made once.

    `otel_carbon.co2e` is a synchronous counter, because only that kind carries exemplars whose value is one
    measurement. It is brought up to date when a reader collects, once per attribute set, with the context of one of
    the spans that it covers: a call to the SDK for every span would cost more than the estimate itself.
    """

    def __init__(
        self,
        meter_provider: MeterProvider | None = None,
        *,
        histogram: bool = False,
        parties: tuple[str, ...] = (),
        attribute_limit: int = DEFAULT_ATTRIBUTE_LIMIT,
    ) -> None:
        self.parties = parties
        """Who a call is accounted to, as far as the metrics say so."""
        self._tally = Tally(parties=parties, attribute_limit=attribute_limit)
        self._meter_provider = meter_provider
        self._histogram = histogram
        self._lock = threading.Lock()
        self._instruments: Instruments | None = None

    def record(
        self,
        call: Call,
        outcome: Outcome,
        span_context: SpanContext,
        adjusted_count: float = 1.0,
        attribution: Attribution | None = None,
    ) -> Series | None:
        """Count one call that was marked with this outcome on the span of this context.

        Returns what counts further calls of its kind, where it was estimated and is counted.
        """
        instruments = self._instruments or self._bind()
        if instruments is None:
            return None
        return instruments.record(call, outcome, span_context, adjusted_count, attribution)

    def counts(self) -> bool:
        """Return whether there is a meter provider to count for."""
        return self._instruments is not None or self._bind() is not None

    def take_back(self, taken: Reversal) -> None:
        """Count what was counted and the ledger does not count."""
        if self._instruments is not None:
            self._tally.add_reversed(taken)

    def _bind(self) -> Instruments | None:
        provider = self._meter_provider or metrics.get_meter_provider()
        # The stand-in until a provider is set has no public name; its instruments would forget what they count.
        if isinstance(provider, NoOpMeterProvider) or type(provider).__name__ == "_ProxyMeterProvider":
            return None
        with self._lock:
            if self._instruments is None:
                self._instruments = Instruments(provider, self._tally, histogram=self._histogram)
            return self._instruments
