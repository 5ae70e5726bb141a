"""Calls of a kind that was seen before: read, estimated and marked by what is known of the first one.

An application makes the same few kinds of call over and over. A `SpanReader` is a function of the keys that it looks
at, and an estimate one of names and tokens. So two spans of one scope and kind, with the same keys and the same text
wherever a text decides, differ in counts, response id and times alone; what was worked out for the first holds for
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any

from opentelemetry.trace import StatusCode

from otel_carbon.estimator import Estimator
from otel_carbon.estimator.card import RateCard
from otel_carbon.estimator.prepared import Quantities, prepared_quantities
from otel_carbon.model import Call, Sighting, Usage
from otel_carbon.processors.attributes import attribute_values
from otel_carbon.processors.ended_span import SpanFacts, identity_of
from otel_carbon.processors.meter_series import Series
from otel_carbon.spans import QUANTITIES, Counting, SpanReader, Tokens, latency_s, put_six_digits
from otel_carbon.spans.one_call import observer_of

__all__ = ["KnownCall", "KnownCalls", "known_sighting"]

_REMEMBERED = 1024  # keys and texts come from outside, so what is remembered of them is bounded

_ERROR = StatusCode.ERROR
_Deciding = Callable[[Mapping[str, Any]], Hashable]


class KnownCall:
    """One kind of call: its first call and mark, where its counts stand, and what an estimate of it rests on."""

    __slots__ = (
        "_mark",
        "_resource",
        "before_unix_nano",
        "call",
        "from_unix_nano",
        "observer",
        "quantities",
        "reading",
        "series",
    )

    def __init__(
        self,
        call: Call,
        mark: Mapping[str, str | float],
        reading: Counting,
        card: RateCard,
        facts: SpanFacts,
        *,
        period_unix_nano: tuple[int, int],
    ) -> None:
        self.call = call
        self.observer = observer_of(facts[2], call)
        self.reading = reading
        self.quantities = prepared_quantities(card)
        """Gives the quantities of a call of this kind by its tokens."""
        self.from_unix_nano, self.before_unix_nano = period_unix_nano
        self.series: Series | None = None
        """What its calls are counted in, once they are."""
        self._mark = mark
        self._resource = facts[6]  # held, so that its id stays its own

    def marked(self, values: Mapping[str, Any], quantities: Quantities) -> dict[str, Any]:
        """Return the attributes of a span of this kind with the mark of these quantities."""
        marked = {**values, **self._mark}
        put_six_digits(marked, QUANTITIES, quantities)  # a mark without water has no place for its quantity
        return marked

    def again(self, facts: SpanFacts, tokens: Tokens, response_id: str | None) -> Call:
        """Return the call of a span of this kind."""
        started_unix_nano, ended_unix_nano = facts[-2:]
        return replace(
            self.call,
            usage=Usage(*tokens),
            response_id=response_id,
            at_unix_nano=started_unix_nano,
            latency_s=latency_s(started_unix_nano, ended_unix_nano or 0),
        )


def known_sighting(  # noqa: PLR0917 - its arguments are kept until a thread of the ledger has time for them
    reader: SpanReader,
    known: KnownCall,
    facts: SpanFacts,
    tokens: Tokens,
    response_id: str | None,
    adjusted_count: float,
    parties: Mapping[str, Any],
) -> Sighting:
    """Return what the ledger records for a call of a known kind, accounted to whom these attributes name."""
    context, parent, scope_name, _, _, _, resource, started_unix_nano, ended_unix_nano = facts
    return Sighting(
        span=identity_of(context, parent),
        started_unix_nano=started_unix_nano or 0,
        ended_unix_nano=ended_unix_nano or 0,
        attribution=reader.attribution(parties, attribute_values(resource.attributes)),
        call=known.again(facts, tokens, response_id),
        mark=None,
        adjusted_count=adjusted_count,
        scope=scope_name,
    )


class KnownCalls:
    """Remembers kinds of call by the spans that taught them.

    Safe to share between threads and with a forked child: it has no lock, and every step is one dictionary operation.
    """

    def __init__(self, reader: SpanReader, estimator: Estimator) -> None:
        self._reader = reader
        self._estimator = estimator
        self._shapes: dict[Hashable, tuple[_Deciding, dict[Hashable, KnownCall]]] = {}
        self._remembered = 0

    def find(self, facts: SpanFacts, values: Mapping[str, Any]) -> KnownCall | None:
        """Return the kind of call that this span is, if it is known."""
        shape = self._shapes.get(_shape(facts, values))
        if shape is None:
            return None
        deciding, kinds = shape
        try:
            return kinds.get(deciding(values))
        except TypeError:  # a value that cannot be hashed
            return None

    def learn(
        self, facts: SpanFacts, values: Mapping[str, Any], call: Call, mark: Mapping[str, str | float]
    ) -> KnownCall | None:
        """Remember the kind of a call that was estimated, where nothing but its tokens changes the estimate."""
        kind = self._estimator.kind_of(call)
        if kind is None:
            return None
        card, period_unix_nano = kind
        reading = self._reader.counting(values, facts[2] or "", call)
        deciding, kinds = self._kinds(facts, values)
        texts = deciding(values)
        if reading is None or not isinstance(texts, tuple) or any(type(text) is not str for text in texts):
            return None
        known = kinds[texts] = KnownCall(call, mark, reading, card, facts, period_unix_nano=period_unix_nano)
        self._remembered += 1
        return known

    def _kinds(self, facts: SpanFacts, values: Mapping[str, Any]) -> tuple[_Deciding, dict[Hashable, KnownCall]]:
        if self._remembered >= _REMEMBERED:
            self._shapes, self._remembered = {}, 0
        key = _shape(facts, values)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = (_getter(self._reader.deciding(values)), {})
            self._remembered += 1
        return shape


def _shape(facts: SpanFacts, values: Mapping[str, Any]) -> Hashable:
    """Return what the reader is told of a span besides values and times."""
    _, _, scope_name, scope_version, kind, status, resource, _, _ = facts
    return id(resource), scope_name, scope_version, kind, status is _ERROR, *values


def _getter(keys: tuple[str, ...]) -> _Deciding:
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda values: tuple(values[key] for key in keys)
