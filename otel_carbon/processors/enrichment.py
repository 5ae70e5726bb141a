"""What the in-app processor does with one GenAI span: read, estimate, mark, count, record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from opentelemetry.metrics import MeterProvider

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Mark, NotEstimated, Outcome, Sighting, Status
from otel_carbon.processors.attributes import write_attributes
from otel_carbon.processors.duplicates import AnsweredCalls
from otel_carbon.processors.ended_span import answered_span, baggage_attributes, calls_stood_for, read_span, sighting_of
from otel_carbon.processors.meter import CarbonMeter
from otel_carbon.semconv.carbon import OTEL_CARBON_STATUS
from otel_carbon.spans import SpanReader, mark_attributes, read_mark

__all__ = ["Enrichment", "SightingWriter"]

_DUPLICATE = NotEstimated(Status.DUPLICATE, "another span of this process counted the same answer")
_DUPLICATE_MARK = Mark(Status.DUPLICATE)


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


class Enrichment:
    """Reads, estimates, marks, counts and records GenAI spans that have ended.

    The arguments are those of `CarbonSpanProcessor`, and so are the errors.
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
        self._meter = CarbonMeter(meter_provider, histogram=metrics == "histogram") if metrics else None
        self._ledger = _writer(ledger, self._estimator, self._meter)
        self._every_call_seen = every_call_seen
        self._answered = AnsweredCalls()
        self.markers = self._reader.markers
        """Keys of which at least one is on every GenAI-related span."""

    def take(self, span: Any, values: Mapping[str, Any]) -> dict[str, str | float] | None:
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
        own: Mark | None = None
        if call is not None and not marked:
            outcome = self._outcome(call, span)
            written = mark_attributes(outcome)
            if self._estimator.hourly is not None and isinstance(outcome, Footprint):
                own = read_mark(written)  # the hour that is on the span, not one that is known when the ledger writes
            elif outcome is _DUPLICATE:
                own = _DUPLICATE_MARK  # it is not counted here, so the ledger has nothing to take back
            written.update(baggage_attributes(values))
            write_attributes(span, written)
            if self._meter is not None:
                self._meter.record(call, outcome, span.context, count)
        if self._ledger is not None:
            mark = read_mark(values) if marked else own
            self._ledger.submit(sighting_of(self._reader, span, call, mark, count))
        return written

    def flush(self, timeout_s: float) -> None:
        """Wait until the ledger has what it was given."""
        if self._ledger is not None:
            self._ledger.flush(timeout_s)

    def close(self) -> None:
        """Write what is left to the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def _outcome(self, call: Call, span: Any) -> Outcome:
        outcome = self._estimator.estimate(call)
        if call.response_id is None:
            return outcome
        answered = answered_span(span)
        if not call.failed and self._answered.repeats(call.response_id, answered):
            return _DUPLICATE
        if isinstance(outcome, Footprint):
            self._answered.add(call.response_id, answered)
        return outcome


def _writer(
    ledger: str | Path | SightingWriter | None, estimator: Estimator, meter: CarbonMeter | None
) -> SightingWriter | None:
    if not isinstance(ledger, str | Path):
        return ledger
    from otel_carbon.ledger.writer import LedgerWriter  # noqa: PLC0415 - loads SQLite, which few applications need

    if meter is None:
        return LedgerWriter(ledger, estimator)
    return LedgerWriter(
        ledger, estimator, on_reversal=lambda taken: meter.take_back(taken.attributes, taken.co2e_grams)
    )
