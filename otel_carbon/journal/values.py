"""What a journal is told and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RETRY_AFTER_S", "Backlog", "CursorSpec", "Dropped", "JournalSettings", "ReadLimits"]

RETRY_AFTER_S = 5.0
"""When a client may try again whose payload was not taken."""

_GIB = 1 << 30
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """How large a journal may become and how hard it writes.

    `max_bytes` bounds the payloads that are not delivered yet, `max_age_s` how long, in time that a gateway ran, one
    may have waited (0: for ever): beyond either, nothing more is taken. Without `fsync` an acknowledged payload
    survives the end of the process but not a power cut.
    """

    max_bytes: int = 2 * _GIB
    fsync: bool = True
    max_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much one read returns at most. A single payload is returned however large it is."""

    max_entries: int = 256
    max_bytes: int = 4 * _MIB


@dataclass(frozen=True, slots=True)
class CursorSpec:
    """A reader of the journal: its name, and the pipelines (all of one signal) whose payloads it gets.

    `resume` is the last position that the reader has for certain, where it keeps that itself.
    """

    name: str
    pipelines: frozenset[str]
    resume: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A cursor whose reader is gone, and how many payloads it had not got."""

    name: str
    undelivered: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a cursor still has to deliver. `items` counts spans, data points or log records."""

    payloads: int
    items: int
    bytes: int
