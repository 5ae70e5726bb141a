"""What a destination did not take, so that whoever asked it to knows exactly what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otel_carbon.errors import PermanentExportError, RetryableExportError
from otel_carbon.pipeline.component import JournalEntry

__all__ = ["RefusedError", "Undelivered", "UnfinishedError", "items_of", "undelivered_of"]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An entry that was not taken, and why. Of a request that went in parts, the entry holds the part alone."""

    entry: JournalEntry
    reason: str


class RefusedError(PermanentExportError):
    """The destination will never take these entries; it has all others."""

    def __init__(self, undelivered: Sequence[Undelivered]) -> None:
        super().__init__(undelivered[0].reason, items_of(undelivered))
        self.undelivered = tuple(undelivered)


class UnfinishedError(RetryableExportError):
    """These entries are not delivered yet; the destination has all others."""

    def __init__(self, message: str, retry_after_s: float | None, undelivered: Sequence[Undelivered]) -> None:
        super().__init__(message, retry_after_s)
        self.undelivered = tuple(undelivered)


def undelivered_of(error: Exception, entries: Sequence[JournalEntry]) -> Sequence[Undelivered]:
    """Return what an export that failed left behind: what its error says, else every entry."""
    if isinstance(error, RefusedError | UnfinishedError):
        return error.undelivered
    reason = str(error) or type(error).__name__
    return [Undelivered(entry, reason) for entry in entries]


def items_of(undelivered: Sequence[Undelivered]) -> int:
    """Return how many spans, data points or log records that is."""
    return sum(one.entry.payload.items for one in undelivered)
