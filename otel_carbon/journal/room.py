"""How much a journal may take, and how old what lies in it may become."""

from __future__ import annotations

import time

from otel_carbon.journal.values import JournalSettings

__all__ = ["Room", "RunningClock"]

_MAX_WAITING_BYTES = 256 << 20


class RunningClock:
    """The age of a journal: how long gateways have run with it, up to its newest entry.

    It goes on from `base_ms` by the monotonic clock, so that setting the time of day changes no age, and neither does
    the time for which the gateway was stopped and could not deliver.
    """

    def __init__(self, base_ms: int) -> None:
        self._base_ms = base_ms
        self._began_s = time.monotonic()

    def now_ms(self) -> int:
        """Return the age of the journal."""
        return self._base_ms + round((time.monotonic() - self._began_s) * 1000)


class Room:
    """What is in the journal and on its way there. Not thread-safe."""

    def __init__(self, settings: JournalSettings, clock: RunningClock) -> None:
        self.live_bytes = 0
        self.waiting_bytes = 0
        self.oldest_ms: int | None = None
        """The age of the journal when its oldest entry came."""
        self._settings = settings
        self._clock = clock

    def oldest_s(self) -> float:
        """Return for how long the oldest entry has waited, 0 where none does."""
        return 0.0 if self.oldest_ms is None else (self._clock.now_ms() - self.oldest_ms) / 1000

    def refusal(self, more_bytes: int) -> str | None:
        """Return why a payload of this size is not taken; None when it is."""
        limit_bytes, limit_s = self._settings.max_bytes, self._settings.max_age_s
        if self.live_bytes + self.waiting_bytes + more_bytes > limit_bytes:
            return f"the journal is full ({self.live_bytes} of {limit_bytes} bytes wait to be delivered)"
        if limit_s and self.oldest_s() > limit_s:
            waited = f"{self.oldest_s():.0f} of at most {limit_s:.0f} s"
            return f"the journal is full (what waits longest could not be delivered for {waited})"
        if self.waiting_bytes + more_bytes > _MAX_WAITING_BYTES:
            return "the disk is slower than what arrives"
        return None
