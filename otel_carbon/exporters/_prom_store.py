"""The families of a Prometheus page, filled by pushes and read by scrapes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from otel_carbon.exporters._prom_series import Accumulated, Labels, Latest, Series

__all__ = ["Family", "FamilyStore"]

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Family:
    """All series of one metric name."""

    name: str
    kind: str
    """counter, gauge, histogram or summary."""
    help: str
    limit: int
    """Series that are kept at most; 0 keeps all."""
    series: dict[Labels, Series] = field(default_factory=dict[Labels, Series])

    def has_room(self, labels: Labels) -> bool:
        """Return whether a point of these labels can be shown."""
        return not self.limit or len(self.series) < self.limit or labels in self.series

    def accumulated(self, labels: Labels, bounds: Sequence[float] | None, now_s: float) -> Accumulated:
        """Return the series that sums; a histogram with other buckets than before begins anew."""
        wanted = None if bounds is None else tuple(bounds)
        found = self.series.get(labels)
        if not isinstance(found, Accumulated) or found.bounds != wanted:
            found = Accumulated(wanted, 1 if wanted is None else len(wanted) + 2, now_s)
            self.series[labels] = found
        return found

    def latest(self, labels: Labels, now_s: float) -> Latest:
        """Return the series whose newest value stands."""
        found = self.series.get(labels)
        if not isinstance(found, Latest):
            found = Latest(now_s)
            self.series[labels] = found
        return found


class FamilyStore(Collector):
    """Keeps families by name, forgets series that nobody sends any more, and reports what cannot be shown.

    `expiration_s` 0 keeps everything; `cardinality_limit` is of the series of one metric, 0 is none. `count_dropped` is
    called with the number of points and a reason.
    """

    def __init__(
        self,
        expiration_s: float,
        clock: Callable[[], float],
        count_dropped: Callable[[int, str], None],
        cardinality_limit: int = 0,
    ) -> None:
        self.cardinality_limit = cardinality_limit
        self._expiration_s = expiration_s
        self._clock = clock
        self._count_dropped = count_dropped
        self._families: dict[str, Family] = {}
        self._reported: set[tuple[str, str]] = set()

    def family(self, name: str, kind: str, description: str) -> Family | None:
        """Return the family, or None when the name belongs to one of another kind."""
        found = self._families.setdefault(name, Family(name, kind, description, self.cardinality_limit))
        return found if found.kind == kind else None

    def drop(self, name: str, points: int, reason: str) -> None:
        """Count points that are not shown; the first time for a metric, also say so."""
        self._count_dropped(points, reason)
        if (name, reason) not in self._reported:
            self._reported.add((name, reason))
            _LOG.warning("metric %s is not shown as it was sent: %s", name, reason)

    def collect(self) -> Iterator[Metric]:
        """Return every family that has series."""
        self._expire()
        for name, family in sorted(self._families.items()):
            metric = Metric(name.removesuffix("_total") if family.kind == "counter" else name, family.help, family.kind)
            for labels, series in family.series.items():
                for suffix, more, value in series.samples():
                    metric.add_sample(name + suffix, dict(labels + more), value)
            yield metric

    def _expire(self) -> None:
        if not self._expiration_s:
            return
        oldest_s = self._clock() - self._expiration_s
        for family in self._families.values():
            for labels in [labels for labels, series in family.series.items() if series.seen_s < oldest_s]:
                del family.series[labels]
        self._families = {name: family for name, family in self._families.items() if family.series}
