"""The in-app processor: puts energy, gCO2e and region on every GenAI span when it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_carbon.errors import MissingExtraError
from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, NotEstimated, Outcome, Sighting, Status
from otel_carbon.processors.attributes import attribute_values, write_attributes
from otel_carbon.processors.duplicates import AnsweredCalls
from otel_carbon.processors.ended_span import baggage_attributes, calls_stood_for, read_span, sighting_of
from otel_carbon.processors.meter import CarbonMeter
from otel_carbon.semconv.carbon import OTEL_CARBON_STATUS
from otel_carbon.spans import SpanReader, mark_attributes, read_mark

__all__ = ["CarbonSpanProcessor", "SightingWriter"]

_log = logging.getLogger(__name__)

_DUPLICATE = NotEstimated(Status.DUPLICATE, "another span of this process counted the same answer")
_MOST_HANDLED = 4096


class SightingWriter(Protocol):
    """What an in-app ledger is written through, off the application's threads."""

    def submit(self, sighting: Sighting) -> bool:
        """Take a sighting without blocking or raising. Returns False when it had to be left out."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken is in the ledger. Returns False when the time was not enough."""
        ...

    def close(self) -> None:
        """Write what is left, and stop."""
        ...


class CarbonSpanProcessor(SpanProcessor):
    """Estimates every GenAI call as its span ends, and marks the span with the result.

    It never raises into the application: what goes wrong is logged, once per kind as a warning. The application's own
    attributes are never changed or evicted. Spans that already carry `otel_carbon.status` are left alone. A span that
    is recorded but not sampled is estimated too, so that counters and ledger are complete under `KeepGenAI`.

    Register it before the exporting processors on an SDK older than 1.40, as `otel_carbon.install()` does.

    Args:
        estimator: what estimates; by default the newest factor set with the settings of its own defaults.
        reader: what reads spans; by default the dialects that come with the package.
        ledger: path of a local ledger, or its writer; every GenAI-related span is then recorded in it.
        meter_provider: where the counters go; by default the global one, as soon as one is set.
        metrics: False counts nothing, `histogram` adds the distribution `otel_carbon.operation.co2e`.
        every_call_seen: the sampler drops no GenAI span (`KeepGenAI`), so each span stands for itself alone.

    Raises:
        MissingExtraError: a ledger is asked for and the extra `ledger` is not installed.
        StorageError: the ledger cannot be opened.
    """

    def __init__(
        self,
        estimator: Estimator | None = None,
        reader: SpanReader | None = None,
        ledger: str | Path | SightingWriter | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        metrics: bool | Literal["histogram"] = True,
        every_call_seen: bool = False,
    ) -> None:
        self._estimator = estimator or Estimator(FactorTables.bundled())
        self._reader = reader or SpanReader.bundled()
        self._markers = self._reader.markers
        self._meter = CarbonMeter(meter_provider, histogram=metrics == "histogram") if metrics else None
        self._ledger = _writer(ledger, self._estimator)
        self._every_call_seen = every_call_seen
        self._answered = AnsweredCalls()
        self._handled: dict[int, dict[str, str | float] | None] = {}
        self._warned: set[type[Exception]] = set()
        self._active = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: what a call used is known when its span ends."""

    def _on_ending(self, span: Span) -> None:
        """Enrich a span before any processor's `on_end`. Called by SDK 1.40 and newer."""
        try:
            values = attribute_values(span._attributes)
            if not values.keys().isdisjoint(self._markers) and self._active:
                if len(self._handled) >= _MOST_HANDLED:  # only a processor that raised can leave any behind
                    self._handled.clear()
                self._handled[_span_id(span)] = self._take(span, values)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    def on_end(self, span: ReadableSpan) -> None:
        """Enrich a span that every processor after this one shares, where `_on_ending` was not called for it."""
        try:
            values = attribute_values(span._attributes)
            if values.keys().isdisjoint(self._markers) or not self._active:
                return
            span_id = _span_id(span)
            if span_id not in self._handled:
                self._take(span, values)
                return
            written = self._handled.pop(span_id)
            if written is not None and OTEL_CARBON_STATUS not in values:
                write_attributes(span, written)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait for the ledger, and return True: older SDKs flush no processor behind one that does not."""
        try:
            if self._ledger is not None:
                self._ledger.flush(timeout_millis / 1000.0)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)
        return True

    def shutdown(self) -> None:
        """Write what is left to the ledger, and estimate nothing more. Safe to call twice."""
        if not self._active:
            return
        self._active = False
        try:
            if self._ledger is not None:
                self._ledger.close()
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    @property
    def active(self) -> bool:
        """Return whether spans are still enriched: not after `shutdown`."""
        return self._active

    def _take(self, span: Any, values: Mapping[str, Any]) -> dict[str, str | float] | None:
        """Estimate, mark, count and record one GenAI-related span. Returns what was written on it, if anything."""
        marked = OTEL_CARBON_STATUS in values
        if marked and self._ledger is None:
            return None
        found = read_span(self._reader, span, values)
        if found is None:
            return None
        count = 1.0 if self._every_call_seen else calls_stood_for(span)
        call = found if isinstance(found, Call) else None
        written: dict[str, str | float] | None = None
        if call is not None and not marked:
            outcome = self._outcome(call, span)
            written = {**mark_attributes(outcome), **baggage_attributes(values)}
            write_attributes(span, written)
            if self._meter is not None:
                self._meter.record(call, outcome, span.context, count)
        if self._ledger is not None:
            mark = read_mark(values) if marked else None
            self._ledger.submit(sighting_of(self._reader, span, call, mark, count))
        return written

    def _outcome(self, call: Call, span: Any) -> Outcome:
        outcome = self._estimator.estimate(call)
        if call.response_id is None:
            return outcome
        trace_id = span.context.trace_id
        if not call.failed and self._answered.repeats(trace_id, call.response_id, span.start_time or 0):
            return _DUPLICATE
        if isinstance(outcome, Footprint):
            self._answered.add(trace_id, call.response_id, span.end_time or 0)
        return outcome

    def _warn_once(self, error: Exception) -> None:
        kind = type(error)
        level = logging.DEBUG if kind in self._warned else logging.WARNING
        self._warned.add(kind)
        _log.log(level, "a span was left without carbon: %s: %s", kind.__name__, error, exc_info=error)


def _span_id(span: Any) -> int:
    span_id: int = span.context.span_id
    return span_id


def _writer(ledger: str | Path | SightingWriter | None, estimator: Estimator) -> SightingWriter | None:
    if not isinstance(ledger, str | Path):
        return ledger
    try:
        from otel_carbon.ledger.writer import LedgerWriter  # noqa: PLC0415 - loads SQLite, which few applications need
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("otel_carbon"):
            raise
        raise MissingExtraError("the in-app ledger", "ledger") from error
    return LedgerWriter(ledger, estimator)
