"""The distribution of what single calls come to: the histogram `otel_carbon.operation.co2e`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from otel_carbon.pipeline.sums import AttributeSet
from otel_carbon.semconv.carbon import METRIC_OTEL_CARBON_OPERATION_CO2E, METRICS

__all__ = ["BOUNDS_GRAMS", "Distribution", "Distributions"]

BOUNDS_GRAMS: tuple[float, ...] = tuple(METRICS[METRIC_OTEL_CARBON_OPERATION_CO2E].bucket_boundaries or ())
"""Upper bounds of the buckets."""


class Distribution:
    """Calls of one attribute set by their emissions, and the latest of them as an example."""

    __slots__ = ("counts", "example", "sum_grams")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_GRAMS) + 1)
        self.sum_grams = 0.0
        self.example: tuple[bytes, float, int] | None = None
        """The key of a call's span, its emissions in g, and when it ended in ns since 1970."""

    def add(self, co2e_grams: float, span: bytes, ended_unix_nano: int) -> None:
        """Add one call. A boundary belongs to the bucket below it, as OTLP has it."""
        self.counts[bisect_left(BOUNDS_GRAMS, co2e_grams)] += 1
        self.sum_grams += co2e_grams
        self.example = (span, co2e_grams, ended_unix_nano)

    def since(self, before: Distribution | None) -> Distribution:
        """Return a copy with the calls alone that came after an earlier copy, where there is one."""
        grown = Distribution()
        grown.counts = list(self.counts)
        grown.sum_grams, grown.example = self.sum_grams, self.example
        if before is not None:
            grown.counts = [now - then for now, then in zip(self.counts, before.counts, strict=True)]
            grown.sum_grams -= before.sum_grams
        return grown


class Distributions:
    """The distributions by attribute set. Not for several threads."""

    def __init__(self) -> None:
        self._by_attributes: dict[AttributeSet, Distribution] = {}

    def add(self, attributes: AttributeSet, co2e_grams: float, span: bytes, ended_unix_nano: int) -> None:
        """Add one call to the distribution of its attributes, which are bounded by where they come from."""
        self._by_attributes.setdefault(attributes, Distribution()).add(co2e_grams, span, ended_unix_nano)

    def snapshot(self) -> Mapping[AttributeSet, Distribution]:
        """Return what there is."""
        return self._by_attributes
