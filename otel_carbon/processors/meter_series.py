"""One series of the in-app counters: the calls that have the same attributes on every metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry.trace import SpanContext

from otel_carbon.model import Attribution, believed_count
from otel_carbon.pipeline.sums import Dimensions, Sums
from otel_carbon.pipeline.tally import Tally

__all__ = ["Series"]


class Series:
    """Counts further calls of a kind of which one was counted.

    `measured` takes each of them for exemplars: in what sums, how many grams, whose, and how many calls it stands for.
    """

    __slots__ = ("_dimensions", "_measured", "_sums", "_tally")

    def __init__(
        self,
        tally: Tally,
        sums: Sums,
        dimensions: Dimensions,
        measured: Callable[[Sums, float, SpanContext, float], None],
    ) -> None:
        self._tally = tally
        self._sums = sums
        self._dimensions = dimensions
        self._measured = measured

    def add(
        self,
        quantities: Sequence[float],
        tokens: Sequence[int],
        span_context: SpanContext,
        adjusted_count: float,
        attribution: Attribution | None,
    ) -> None:
        """Count another estimated call; see `Sums.add_again`."""
        count = 1.0 if adjusted_count == 1.0 else believed_count(adjusted_count)
        sums, tally = self._sums, self._tally
        with tally.lock:
            if attribution is not None:
                sums = tally.sums((*self._dimensions, *tally.named(attribution)))
            sums.add_again(quantities, tokens, count)
        self._measured(sums, quantities[3], span_context, adjusted_count)
