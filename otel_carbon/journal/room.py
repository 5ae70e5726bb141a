"""How much a journal may take, and how old what lies in it may become."""

from __future__ import annotations

import os
import time
from pathlib import Path

from otel_carbon.journal.format import PAGE_BYTES
from otel_carbon.journal.values import JournalSettings

__all__ = ["Room", "RunningClock"]

_MAX_WAITING_BYTES = 256 << 20
_KEPT_FREE_BYTES = 64 << 20
_KEPT_FREE_SHARE = 4  # but no more than a quarter of a small disk


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

    def __init__(self, settings: JournalSettings, clock: RunningClock, folder: Path) -> None:
        self.live_bytes = 0
        self.waiting_bytes = 0
        self.spare_bytes = 0
        """What fits into the journal's files as they are; negative where these will still grow by themselves."""
        self.oldest_ms: int | None = None
        """The age of the journal when its oldest entry came."""
        self._settings = settings
        self._clock = clock
        self._folder = folder

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
        return self._no_disk(more_bytes)

    def _no_disk(self, more_bytes: int) -> str | None:
        """Return why the disk takes no more. Deleting needs room too: a journal that filled its disk would be stuck."""
        found = os.statvfs(self._folder)
        free_bytes = found.f_bavail * found.f_frsize
        kept_bytes = min(_KEPT_FREE_BYTES, found.f_blocks * found.f_frsize // _KEPT_FREE_SHARE)
        if free_bytes + self.spare_bytes - self.waiting_bytes - max(more_bytes, PAGE_BYTES) >= kept_bytes:
            return None
        needed_bytes = kept_bytes + max(0, -self.spare_bytes)
        return (
            f"the disk of the journal is full ({free_bytes} bytes are free, it needs {needed_bytes} for its own work)"
        )
