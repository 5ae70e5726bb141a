"""What the counters need to know of a marked span, in plain values: another process can count it as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otel_carbon.connectors._avoided import Avoidance, Saved
from otel_carbon.connectors._grids import GridUse, grid_use
from otel_carbon.model import Attribution, Footprint, Sighting, believed_count
from otel_carbon.pipeline.pdata import Enriched
from otel_carbon.pipeline.quantities import quantities_of, quantity_dimensions, status_of
from otel_carbon.pipeline.sums import Dimensions, Quantities

__all__ = ["Marked", "Measured", "Measurer", "marked_spans", "span_key"]

Marked = tuple[bytes, Enriched]
"""The key of a span that this stage marked as a call, and the span."""

Measured = tuple[bytes, int, Dimensions, str, Quantities, float, GridUse | None, Saved | None]
"""Key of the span, when it ended (ns since 1970), dimensions, status, quantities, for how many calls it counts, what
they took from which grid, and what the prompt cache saved."""


def marked_spans(spans: Iterable[Enriched] | None) -> Iterator[Marked]:
    """Yield the calls that this stage marked; what came with a mark was counted where it was made."""
    for enriched in spans or ():
        if enriched.outcome is not None and enriched.sighting.call is not None:
            yield span_key(enriched.sighting), enriched


def span_key(sighting: Sighting) -> bytes:
    """Return trace id and span id. Both are valid: a span with other ids is never marked."""
    return bytes.fromhex(sighting.span.trace_id + sighting.span.span_id)


class Measurer:
    """Measures marked spans. `parties` are those that are attributes of the metrics too."""

    def __init__(self, parties: tuple[str, ...], avoidance: Avoidance) -> None:
        self._parties = parties
        self._avoidance = avoidance

    def measure(self, marked: Marked) -> Measured:
        """Return what is to be counted of a span."""
        key, enriched = marked
        sighting, outcome = enriched.sighting, enriched.outcome
        call = sighting.call
        assert call is not None
        assert outcome is not None
        dimensions = quantity_dimensions(call, outcome)
        grid, saved = None, None
        if isinstance(outcome, Footprint):
            grid, saved = grid_use(outcome), self._avoidance.of(call, outcome)
        return (
            key,
            sighting.ended_unix_nano,
            (*dimensions, *self._named(sighting.attribution)) if self._parties else dimensions,
            status_of(outcome),
            quantities_of(call, outcome),
            believed_count(sighting.adjusted_count),
            grid,
            saved,
        )

    def measure_all(self, spans: Iterable[Enriched] | None) -> list[Measured]:
        """Return what is to be counted of those spans that this stage marked."""
        return [self.measure(marked) for marked in marked_spans(spans)]

    def _named(self, attribution: Attribution) -> Dimensions:
        return tuple([getattr(attribution, party) for party in self._parties])
