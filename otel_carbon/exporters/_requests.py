"""From journal entries to requests: merged where they are small, cut where they are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from otel_carbon.errors import InvalidDataError
from otel_carbon.exporters._queue_config import BatchLimits
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.wire_split import cut

__all__ = ["MAX_REQUEST_BYTES", "Request", "halves", "must_cut", "requests_of"]

MAX_REQUEST_BYTES = 64 << 20
"""No request is larger, before compression (OTLP 1.11, "Request size limits")."""

_ANY_NUMBER = 1 << 62
_OWN_LIMIT = BatchLimits(MAX_REQUEST_BYTES, _ANY_NUMBER, cuts=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent at once: entries, or one part of an entry that was cut.

    Bodies are merged by joining them: the only field of every `Export<Signal>ServiceRequest` is repeated, so protobuf
    reads the whole as one request with all of them.
    """

    entries: Sequence[JournalEntry]
    is_part: bool = False

    @property
    def body(self) -> bytes:
        """Return the body, before compression."""
        if len(self.entries) == 1:
            return self.entries[0].payload.body
        return b"".join(entry.payload.body for entry in self.entries)

    @property
    def position(self) -> int:
        """Return the position of the first entry."""
        return self.entries[0].position


def must_cut(entry: JournalEntry, limits: BatchLimits) -> bool:
    """Return whether an entry is larger than a request may be."""
    size = len(entry.payload.body)
    over = size > limits.max_bytes or entry.payload.items > limits.max_items
    return size > MAX_REQUEST_BYTES or (limits.cuts and over)


def requests_of(entries: Sequence[JournalEntry], limits: BatchLimits) -> Iterator[Request]:
    """Yield requests within the limits, in the order of the entries."""
    group: list[JournalEntry] = []
    size = items = 0
    for entry in entries:
        size, items = size + len(entry.payload.body), items + entry.payload.items
        alone = must_cut(entry, limits)
        if group and (alone or size > min(limits.max_bytes, MAX_REQUEST_BYTES) or items > limits.max_items):
            yield Request(group)
            group, size, items = [], len(entry.payload.body), entry.payload.items
        if alone:
            yield from _parts(entry, limits if limits.cuts else _OWN_LIMIT)
            size = items = 0
        else:
            group.append(entry)
    if group:
        yield Request(group)


def halves(request: Request, *, too_large: bool) -> Sequence[Request]:
    """Return two requests or more that say the same; none when this one cannot be made smaller.

    Entries are told apart in any case; a single one is cut only where its size is what is wrong.
    """
    if len(request.entries) > 1:
        middle = len(request.entries) // 2
        return [Request(request.entries[:middle]), Request(request.entries[middle:])]
    if not too_large:
        return []
    half = BatchLimits(len(request.body) // 2, _ANY_NUMBER, cuts=True)
    parts = list(_parts(request.entries[0], half))
    return parts if len(parts) > 1 else []


def _parts(entry: JournalEntry, limits: BatchLimits) -> Iterator[Request]:
    max_bytes = min(limits.max_bytes, MAX_REQUEST_BYTES)
    try:
        parts = cut(entry.payload, max_bytes=max_bytes, max_items=limits.max_items)
    except InvalidDataError:  # let the destination say what it thinks of it
        parts = [entry.payload]
    return (Request([replace(entry, payload=part)], is_part=True) for part in parts)
