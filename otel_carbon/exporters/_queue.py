"""From journal entries to requests. The journal is the sending queue; this is how it is emptied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from otel_carbon.errors import ConfigError, PermanentExportError
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Signal

__all__ = ["MAX_REQUEST_BYTES", "BatchConfig", "ContentRefusedError", "QueueConfig", "Sender"]

MAX_REQUEST_BYTES = 64 << 20
"""No request is larger, before compression (OTLP 1.11, "Request size limits")."""

_SIZERS = ("bytes", "items", "requests")


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """Keys of `sending_queue::batch`: how many received requests become one sent request.

    Raises:
        ConfigError: a value is out of range.
    """

    sizer: str = "bytes"
    """What `max_size` counts: bytes before compression, items (spans, data points, log records) or requests."""
    max_size: int = 2 << 20
    """Received requests are merged up to this size; a larger one is sent as it came."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.sizer not in _SIZERS:
            raise ConfigError(f"sending_queue::batch::sizer: {self.sizer!r} is not one of {', '.join(_SIZERS)}")
        if self.max_size < 1:
            raise ConfigError("sending_queue::batch::max_size must be at least 1")


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Keys of `sending_queue`. The journal is the queue, so its size and its place on disk are not set here."""

    batch: BatchConfig = field(default_factory=BatchConfig)


class ContentRefusedError(PermanentExportError):
    """The destination refused these very bytes; it may still take parts of them."""


class Sender:
    """Delivers entries through `send`, which takes one request of one signal.

    Bodies are merged by concatenation: the only field of every `Export<Signal>ServiceRequest` is repeated, so protobuf
    reads the concatenation as one request with all of them. What a retry has behind it is not sent again.
    """

    def __init__(self, batch: BatchConfig, send: Callable[[Signal, bytes], Awaitable[None]]) -> None:
        self._batch = batch
        self._send = send
        self._delivered: dict[Signal, int] = {}
        self._failures: dict[Signal, list[tuple[int, str]]] = {}

    async def deliver(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver the entries, all of one signal.

        Raises:
            RetryableExportError: some were not taken yet; call again with the same entries.
            PermanentExportError: some will never be taken, and all others are delivered.
        """
        if not entries:
            return
        signal = entries[0].payload.signal
        behind = self._delivered.get(signal, -1)
        for group in _groups([entry for entry in entries if entry.position > behind], self._batch):
            await self._deliver_group(signal, group)
        failures = self._failures.pop(signal, [])
        if failures:
            raise PermanentExportError(failures[0][1], sum(items for items, _ in failures))

    async def _deliver_group(self, signal: Signal, group: Sequence[JournalEntry]) -> None:
        body = b"".join(entry.payload.body for entry in group)
        try:
            _check_size(body)
            if body:  # an empty envelope is not sent
                await self._send(signal, body)
        except ContentRefusedError as error:
            if len(group) > 1:  # one bad entry must not take its neighbours along
                middle = len(group) // 2
                await self._deliver_group(signal, group[:middle])
                await self._deliver_group(signal, group[middle:])
                return
            self._note_failure(signal, group, error)
        except PermanentExportError as error:
            self._note_failure(signal, group, error)
        self._delivered[signal] = group[-1].position

    def _note_failure(self, signal: Signal, group: Sequence[JournalEntry], error: PermanentExportError) -> None:
        items = sum(entry.payload.items for entry in group)
        self._failures.setdefault(signal, []).append((items, str(error)))


def _check_size(body: bytes) -> None:
    if len(body) > MAX_REQUEST_BYTES:
        raise ContentRefusedError(f"a request of {len(body)} bytes is over the limit of {MAX_REQUEST_BYTES}")


def _groups(entries: Sequence[JournalEntry], batch: BatchConfig) -> Iterator[Sequence[JournalEntry]]:
    group: list[JournalEntry] = []
    size = 0
    for entry in entries:
        entry_size = _size(entry, batch.sizer)
        if group and size + entry_size > batch.max_size:
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry_size
    if group:
        yield group


def _size(entry: JournalEntry, sizer: str) -> int:
    match sizer:
        case "bytes":
            return len(entry.payload.body)
        case "items":
            return entry.payload.items
        case _:
            return 1
