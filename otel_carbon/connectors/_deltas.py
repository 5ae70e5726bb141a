"""What sums have grown by since a point in time: since they were last sent on, for delta temporality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from otel_carbon.connectors._distribution import Distribution
from otel_carbon.pipeline.sums import AttributeSet

__all__ = ["Deltas"]

Snapshot = Mapping[str, Mapping[AttributeSet, float]]


@dataclass(frozen=True, slots=True)
class Deltas:
    """Where counting begins, in sums since the start of the process: what comes next is counted from there."""

    start_unix_nano: int
    """When the time began that the next difference is about."""
    sums: Snapshot = field(default_factory=dict)
    distributions: Mapping[AttributeSet, Distribution] = field(default_factory=dict)

    @classmethod
    def marked(cls, sums: Snapshot, distributions: Mapping[AttributeSet, Distribution], unix_nano: int) -> Deltas:
        """Return the mark that differences from now on are counted from. Distributions go on growing: it has copies."""
        return cls(unix_nano, sums, {key: each.since(None) for key, each in distributions.items()})

    def of_sums(self, sums: Snapshot, *, all_series: bool) -> Snapshot:
        """Return what sums have grown by; what has not grown is left out, unless all series are wanted."""
        return {name: _grown(points, self.sums.get(name, {}), all_series=all_series) for name, points in sums.items()}

    def of_distributions(
        self, distributions: Mapping[AttributeSet, Distribution], *, all_series: bool
    ) -> dict[AttributeSet, Distribution]:
        """Return the calls that have come to distributions; one without a new call is left out likewise."""
        grown = {key: each.since(self.distributions.get(key)) for key, each in distributions.items()}
        return {key: each for key, each in grown.items() if all_series or any(each.counts)}


def _grown(
    now: Mapping[AttributeSet, float], then: Mapping[AttributeSet, float], *, all_series: bool
) -> dict[AttributeSet, float]:
    return {key: value - then.get(key, 0.0) for key, value in now.items() if all_series or value != then.get(key)}
