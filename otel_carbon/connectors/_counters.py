"""All counters of a `carbon_metrics` connector, and the spans that are in them."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.connectors._avoided import Avoided
from otel_carbon.connectors._distribution import Distribution, Distributions
from otel_carbon.connectors._grids import Grids
from otel_carbon.connectors._measured import Measured
from otel_carbon.connectors._memo import SpanMemo
from otel_carbon.model import Status
from otel_carbon.pipeline.sums import AttributeSet
from otel_carbon.pipeline.tally import Tally

__all__ = ["Counters"]

_ESTIMATED = Status.ESTIMATED.value


class Counters:
    """Cumulative sums; every span is in them once, as long as it is remembered. Not for several threads."""

    def __init__(self, tally: Tally, remembered_spans: int, *, histogram: bool) -> None:
        self.memo = SpanMemo(remembered_spans)
        """To be asked before a span is added."""
        self._tally = tally
        self._grids = Grids()
        self._avoided = Avoided()
        self._distributions = Distributions() if histogram else None

    def add(self, measured: Measured) -> None:
        """Add a span."""
        key, ended_unix_nano, dimensions, status, quantities, count, grid, saved = measured
        sums = self._tally.add_measured(dimensions, status, quantities, count)
        if sums is None or status != _ESTIMATED:
            return
        if grid is not None:
            self._grids.add(grid, count)
        if saved is not None:
            self._avoided.add(sums.attributes, saved, count)
        if self._distributions is not None and (grams := quantities[1]) is not None:
            self._distributions.add(sums.attributes, grams[0], key, ended_unix_nano)

    def sums(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the sums by metric and attribute set, in the metric's unit."""
        return self._tally.snapshot() | self._grids.snapshot() | self._avoided.snapshot()

    def distributions(self) -> Mapping[AttributeSet, Distribution]:
        """Return the distribution of single calls, where it is wanted."""
        return {} if self._distributions is None else self._distributions.snapshot()
