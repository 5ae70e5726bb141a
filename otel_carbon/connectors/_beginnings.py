"""New series begin at zero, so that nobody who looks at increases misses what came before the first look."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.pipeline.sums import AttributeSet

__all__ = ["Beginnings"]

Snapshot = Mapping[str, Mapping[AttributeSet, float]]


class Beginnings:
    """Knows which series have been sent. Those that have not are shown as zero once.

    Prometheus' `increase` and `rate` know nothing of a counter before its first sample: a model that was called ten
    times before it was seen and never again would show as nothing for ever.
    """

    def __init__(self) -> None:
        self._sent: set[tuple[str, AttributeSet]] = set()

    def shown(self, snapshot: Snapshot) -> dict[str, dict[AttributeSet, float]]:
        """Return the sums as they are to be sent now."""
        return {
            name: {key: value if (name, key) in self._sent else 0.0 for key, value in sums.items()}
            for name, sums in snapshot.items()
        }

    def note_sent(self, snapshot: Snapshot) -> None:
        """Remember that these series have begun."""
        self._sent.update((name, key) for name, sums in snapshot.items() for key in sums)
