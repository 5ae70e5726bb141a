"""What a Prometheus series holds between two scrapes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

__all__ = ["Accumulated", "Labels", "Latest", "Sample", "Series"]

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""

Sample = tuple[str, Labels, float]
"""Suffix of the family's name, labels beside those of the series, value."""

_MAX_STREAMS = 256


@dataclass(slots=True)
class Accumulated:
    """What only grows: a counter (one value), or a histogram (its sum, then the count of each bucket).

    Several processes may send the same series, as the workers of one service do when no `service.instance.id` tells
    them apart; each has its own start time. The series is the sum over them, so that none overwrites another, and
    what a process counted stays when it ends. `bounds` are the upper bounds of the buckets; None for a counter.
    """

    bounds: tuple[float, ...] | None
    size: int
    seen_s: float
    _ended: list[float] = field(init=False)
    _streams: dict[Hashable, tuple[int, Sequence[float]]] = field(init=False)

    def __post_init__(self) -> None:
        """Begin at zero."""
        self._ended = [0.0] * self.size
        self._streams = {}

    def add(self, values: Sequence[float], now_s: float) -> None:
        """Add a delta."""
        self.seen_s = now_s
        self._end(values)

    def put(self, stream: Hashable, values: Sequence[float], at_unix_nano: int, now_s: float) -> None:
        """Set what one sender has counted since its start.

        Less than before is a point that comes late where it is older, and says nothing new; else it began again and
        did not say so. More than before is news whatever its time: the clock of the sender may have been set back.
        """
        self.seen_s = now_s
        last_at_unix_nano, last = self._streams.pop(stream, (0, ()))
        if last and self._fell(last, values):
            if at_unix_nano < last_at_unix_nano:
                values, at_unix_nano = last, last_at_unix_nano
            else:
                self._end(last)
        self._streams[stream] = (at_unix_nano, values)
        if len(self._streams) > _MAX_STREAMS:
            longest_unheard = next(iter(self._streams))
            self._end(self._streams.pop(longest_unheard)[1])

    def values(self) -> list[float]:
        """Return the sums over all senders."""
        columns = zip(self._ended, *(values for _, values in self._streams.values()), strict=True)
        return [sum(column) for column in columns]

    def samples(self) -> list[Sample]:
        """Return the samples of the series: `le` counts are cumulative, as Prometheus has them."""
        values = self.values()
        if self.bounds is None:
            return [("", (), values[0])]
        total, found = 0.0, list[Sample]()
        for bound, count in zip((*self.bounds, float("inf")), values[1:], strict=True):
            total += count
            found.append(("_bucket", (("le", "+Inf" if bound == float("inf") else repr(bound)),), total))
        return [*found, ("_count", (), total), ("_sum", (), values[0])]

    def _fell(self, old: Sequence[float], new: Sequence[float]) -> bool:
        counts_from = 0 if self.bounds is None else 1  # the sum of a histogram may fall
        return any(now < before for before, now in zip(old[counts_from:], new[counts_from:], strict=True))

    def _end(self, values: Sequence[float]) -> None:
        self._ended = [old + new for old, new in zip(self._ended, values, strict=True)]


@dataclass(slots=True)
class Latest:
    """A gauge, or whatever else cannot be summed over senders: the newest value stands."""

    seen_s: float
    at_unix_nano: int = 0
    _samples: Sequence[Sample] = ()
    _sender: Hashable = None
    _sender_before: Hashable = None

    def put(self, sender: Hashable, samples: Sequence[Sample], at_unix_nano: int, now_s: float) -> bool:
        """Set the value; False when two senders take turns, so that one hides the other.

        A sender that takes over for good is a process that was restarted.
        """
        self.seen_s = now_s
        taking_turns = sender != self._sender and sender == self._sender_before
        if sender != self._sender:
            self._sender, self._sender_before = sender, self._sender
        if at_unix_nano >= self.at_unix_nano:
            self._samples, self.at_unix_nano = samples, at_unix_nano
        return not taking_turns

    def samples(self) -> Sequence[Sample]:
        """Return the samples of the series."""
        return self._samples


Series = Accumulated | Latest
