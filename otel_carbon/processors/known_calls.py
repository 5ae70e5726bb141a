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
from otel_carbon.estimator.card import Quantities, RateCard
from otel_carbon.model import Call, Usage
from otel_carbon.processors.meter import Series
from otel_carbon.spans import QUANTITIES, Counting, SpanReader, Tokens, latency_s, six_digits

__all__ = ["KnownCall", "KnownCalls"]

_REMEMBERED = 1024  # keys and texts come from outside, so what is remembered of them is bounded

_ERROR = StatusCode.ERROR
_Deciding = Callable[[Mapping[str, Any]], Hashable]


class KnownCall:
    """One kind of call: its first call and mark, where its counts stand, and what an estimate of it rests on."""

    __slots__ = ("_mark", "_resource", "before_unix_nano", "call", "card", "from_unix_nano", "reading", "series")

    def __init__(
        self,
        call: Call,
        mark: Mapping[str, str | float],
        reading: Counting,
        card: RateCard,
        *,
        period_unix_nano: tuple[int, int],
        resource: object,
    ) -> None:
        self.call = call
        self.reading = reading
        self.card = card
        self.from_unix_nano, self.before_unix_nano = period_unix_nano
        self.series: Series | None = None
        """What its calls are counted in, once they are."""
        self._mark = mark
        self._resource = resource  # held, so that its id stays its own

    def marked(self, values: Mapping[str, Any], quantities: Quantities) -> dict[str, Any]:
        """Return the attributes of a span of this kind with the mark of these quantities."""
        marked = {**values, **self._mark}
        # A mark without water has no place for its quantity.
        marked.update(zip(QUANTITIES, six_digits(quantities), strict=False))
        return marked

    def again(self, span: Any, tokens: Tokens, response_id: str | None) -> Call:
        """Return the call of a span of this kind."""
        return replace(
            self.call,
            usage=Usage(*tokens),
            response_id=response_id,
            at_unix_nano=span.start_time,
            latency_s=latency_s(span.start_time, span.end_time or 0),
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

    def find(self, span: Any, values: Mapping[str, Any]) -> KnownCall | None:
        """Return the kind of call that this span is, if it is known."""
        shape = self._shapes.get(_shape(span, values))
        if shape is None:
            return None
        deciding, kinds = shape
        try:
            return kinds.get(deciding(values))
        except TypeError:  # a value that cannot be hashed
            return None

    def learn(
        self, span: Any, values: Mapping[str, Any], call: Call, mark: Mapping[str, str | float]
    ) -> KnownCall | None:
        """Remember the kind of a call that was estimated, where nothing but its tokens changes the estimate."""
        kind = self._estimator.kind_of(call)
        if kind is None:
            return None
        card, period_unix_nano = kind
        scope = span.instrumentation_scope
        reading = self._reader.counting(values, "" if scope is None else scope.name, call)
        deciding, kinds = self._kinds(span, values)
        texts = deciding(values)
        if reading is None or not isinstance(texts, tuple) or any(type(text) is not str for text in texts):
            return None
        known = kinds[texts] = KnownCall(
            call, mark, reading, card, period_unix_nano=period_unix_nano, resource=span.resource
        )
        self._remembered += 1
        return known

    def _kinds(self, span: Any, values: Mapping[str, Any]) -> tuple[_Deciding, dict[Hashable, KnownCall]]:
        if self._remembered >= _REMEMBERED:
            self._shapes, self._remembered = {}, 0
        key = _shape(span, values)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = (_getter(self._reader.deciding(values)), {})
            self._remembered += 1
        return shape


def _shape(span: Any, values: Mapping[str, Any]) -> Hashable:
    """Return what the reader is told of a span besides values and times."""
    scope = span.instrumentation_scope
    name, version = (None, None) if scope is None else (scope.name, scope.version)
    failed = span.status.status_code is _ERROR
    return id(span.resource), name, version, span.kind._value_, failed, *values


def _getter(keys: tuple[str, ...]) -> _Deciding:
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda values: tuple(values[key] for key in keys)
