"""What the in-app processor does with one GenAI span: read, estimate, mark, count, record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanContext

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import Attribution, Call, Footprint, Mark, NotEstimated, Outcome, Sighting, Status
from otel_carbon.pipeline.parties import check_parties
from otel_carbon.pipeline.tally import DEFAULT_ATTRIBUTE_LIMIT
from otel_carbon.processors.attributes import attribute_values, replace_values, write_attributes
from otel_carbon.processors.baggage import BaggageParties
from otel_carbon.processors.duplicates import CountedCalls, EndedCall
from otel_carbon.processors.ended_span import SpanFacts, calls_stood_for, facts_of, read_span, sighting_of
from otel_carbon.processors.known_calls import KnownCall, KnownCalls, known_sighting
from otel_carbon.processors.meter import CarbonMeter
from otel_carbon.semconv.carbon import OTEL_CARBON_STATUS
from otel_carbon.spans import SpanReader, Tokens, mark_attributes, read_mark, tokens_of
from otel_carbon.spans.one_call import observer_of

__all__ = ["Enrichment", "SightingWriter"]

_DUPLICATE = NotEstimated(Status.DUPLICATE, "another span of this process counted the same answer")
_DUPLICATE_MARK = Mark(Status.DUPLICATE)


class SightingWriter(Protocol):
    """What an in-app ledger is written through, off the application's threads.

    One that also has `submit_later` is given, for most calls, a function that returns the sighting, to be called there.
    """

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
        baggage_keys: tuple[str, ...] | None = None,
        metrics_attributes: tuple[str, ...] = (),
        metrics_attribute_limit: int | None = None,
    ) -> None:
        check_parties(metrics_attributes)
        self._estimator = estimator or Estimator(FactorTables.bundled())
        self._reader = reader or SpanReader.bundled()
        self._meter = None
        if metrics:
            self._meter = CarbonMeter(
                meter_provider,
                histogram=metrics == "histogram",
                parties=metrics_attributes,
                attribute_limit=DEFAULT_ATTRIBUTE_LIMIT if metrics_attribute_limit is None else metrics_attribute_limit,
            )
        self._ledger = _writer(ledger, self._estimator, self._meter)
        self._every_call_seen = every_call_seen
        self._count: Callable[[SpanContext], float] = _one if every_call_seen else calls_stood_for
        self._counted = CountedCalls()
        self._known = KnownCalls(self._reader, self._estimator)
        self.baggage = BaggageParties(self._reader.attribution_rules, baggage_keys)
        self.markers = self._reader.markers
        """Keys of which at least one is on every GenAI-related span."""

    def take(self, span: Any, values: Mapping[str, Any]) -> dict[str, str | float] | None:
        """Estimate, mark, count and record one GenAI-related span. Returns what was written on it, if anything."""
        if OTEL_CARBON_STATUS in values:
            if self._ledger is not None:
                self._take_marked(span, values)
            return None
        noted = self.baggage.noted
        from_baggage = noted.get(span.context.span_id) if noted else None
        facts = facts_of(span)
        known = self._known.find(facts, values)
        if known is not None and (known.series is not None or self._meter is None or not self._meter.counts()):
            tokens = known.reading.tokens(values)
            if tokens is not None and known.from_unix_nano <= (facts[-2] or 0) < known.before_unix_nano:
                return self._take_known(span, facts, values, known, tokens, from_baggage)
        found = read_span(self._reader, span, values)
        if isinstance(found, Call):
            return self._take_call(span, facts, values, found, from_baggage)
        if found is not None and self._ledger is not None:
            self._ledger.submit(sighting_of(self._reader, span, None, None, self._count(span.context)))
        return None

    def _take_marked(self, span: Any, values: Mapping[str, Any]) -> None:
        found = read_span(self._reader, span, values)
        if found is not None:
            call = found if isinstance(found, Call) else None
            self._record(span, call, read_mark(values), self._count(span.context))

    def _take_call(
        self, span: Any, facts: SpanFacts, values: Mapping[str, Any], call: Call, found: Mapping[str, str] | None
    ) -> dict[str, Any]:
        tokens = None if call.usage is None else tokens_of(call.usage)
        ended = EndedCall(facts, observer_of(facts[2], call), call, tokens, call.response_id)
        outcome = _DUPLICATE if self._counted.repeats(ended) else self._estimator.estimate(call)
        return self._mark(span, facts, values, call, outcome, found)

    def _mark(  # noqa: PLR0917 - keywords would be paid for by every span
        self,
        span: Any,
        facts: SpanFacts,
        values: Mapping[str, Any],
        call: Call,
        outcome: Outcome,
        found: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        """Mark, count and record a call with this outcome, and remember its kind. Returns what was written."""
        mark = mark_attributes(outcome)
        known = self._known.learn(facts, values, call, mark) if isinstance(outcome, Footprint) else None
        written = {**mark, **self.baggage.attributes(found, values)} if found else mark
        write_attributes(span, written)
        count = self._count(span.context)
        if self._meter is not None:
            series = self._meter.record(call, outcome, span.context, count, self._parties(span))
            if known is not None:
                known.series = series
        if self._ledger is not None:
            self._record(span, call, self._own_mark(outcome, written), count)
        return written

    def _take_known(  # noqa: PLR0917 - keywords would be paid for by every span
        self,
        span: Any,
        facts: SpanFacts,
        values: Mapping[str, Any],
        known: KnownCall,
        tokens: Tokens,
        found: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        """Do what `_take_call` does, without making values that nobody asks for."""
        response_id = known.reading.response_id(values)
        if self._counted.repeats(EndedCall(facts, known.observer, known.call, tokens, response_id)):
            return self._mark(span, facts, values, known.again(facts, tokens, response_id), _DUPLICATE, found)
        quantities = known.quantities(tokens)
        written = known.marked(values, quantities)
        if found:
            written.update(self.baggage.attributes(found, values))
        if not replace_values(span, written):
            write_attributes(span, {key: written[key] for key in written if key not in values})
        context = facts[0]
        count = self._count(context)
        if known.series is not None:
            known.series.add(quantities, tokens, context, count, self._parties(span))
        if self._ledger is not None:
            keys = self._reader.attribution_keys & written.keys()
            parties = {key: written[key] for key in keys}
            make = partial(known_sighting, self._reader, known, facts, tokens, response_id, count, parties)
            self._submit_later(make)
        return written

    def _submit_later(self, make: Callable[[], Sighting]) -> None:
        if self._ledger is None:
            return
        later = getattr(self._ledger, "submit_later", None)
        if later is None:
            self._ledger.submit(make())
        else:
            later(make)

    def _record(self, span: Any, call: Call | None, mark: Mark | None, count: float) -> None:
        if self._ledger is not None:
            self._ledger.submit(sighting_of(self._reader, span, call, mark, count))

    def _own_mark(self, outcome: Outcome, written: Mapping[str, Any]) -> Mark | None:
        """Return what the ledger has to know of this stage's own mark."""
        if outcome is _DUPLICATE:
            return _DUPLICATE_MARK  # it is not counted here, so the ledger has nothing to take back
        if self._estimator.hourly is not None and isinstance(outcome, Footprint):
            return read_mark(written)  # the hour that is on the span, not one that is known when the ledger writes
        return None

    def _parties(self, span: Any) -> Attribution | None:
        """Return who a span is accounted to, where the metrics say so."""
        if self._meter is None or not self._meter.parties:
            return None
        return self._reader.attribution(attribute_values(span._attributes), attribute_values(span.resource.attributes))

    def flush(self, timeout_s: float) -> None:
        """Wait until the ledger has what it was given."""
        if self._ledger is not None:
            self._ledger.flush(timeout_s)

    def close(self) -> None:
        """Write what is left to the ledger."""
        if self._ledger is not None:
            self._ledger.close()


def _one(_context: SpanContext) -> float:
    return 1.0


def _writer(
    ledger: str | Path | SightingWriter | None, estimator: Estimator, meter: CarbonMeter | None
) -> SightingWriter | None:
    if not isinstance(ledger, str | Path):
        return ledger
    from otel_carbon.ledger.writer import LedgerWriter  # noqa: PLC0415 - loads SQLite, which few applications need

    if meter is None:
        return LedgerWriter(ledger, estimator)
    return LedgerWriter(ledger, estimator, on_reversal=meter.take_back)
