"""`sending_queue`: the Collector's keys. The journal is the queue, and where that changes a key, it says so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from otel_carbon.errors import ConfigError
from otel_carbon.journal.values import Backlog
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.pdata import Signal

__all__ = ["BatchConfig", "BatchLimits", "QueueConfig", "batch_limits", "consumers", "queue_limit"]

_KEY = "sending_queue"
_SIZERS = ("bytes", "items", "requests")
_BATCH_SIZERS = ("bytes", "items")
_MERGED_BYTES = 2 << 20
_CONSUMERS = 10
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """Keys and defaults of `sending_queue::batch`.

    Raises:
        ConfigError: a value is out of range.
    """

    flush_timeout: str = "200ms"
    """How long data may wait for more, counted from its acknowledgement."""
    min_size: int = 8192
    """What is enough to be sent without waiting."""
    max_size: int = 0
    """No request is larger; a received one that is gets cut. 0 is no maximum."""
    sizer: str | None = None
    """What both sizes count, bytes or items; None: `sending_queue::sizer` where that is bytes, else items."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        key = f"{_KEY}::batch"
        if duration_s(self.flush_timeout, f"{key}::flush_timeout") <= 0:
            raise ConfigError(f"{key}::flush_timeout: must be longer than 0s")
        for name in ("min_size", "max_size"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{key}::{name}: must not be negative")
        if 0 < self.max_size < self.min_size:
            raise ConfigError(f"{key}::max_size: {self.max_size} must be at least min_size, which is {self.min_size}")
        if self.sizer is not None and self.sizer not in _BATCH_SIZERS:
            raise ConfigError(f"{key}::sizer: {self.sizer!r} is not one of {', '.join(_BATCH_SIZERS)}")


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Keys of `sending_queue`.

    Raises:
        ConfigError: a value is out of range, or asks for something that the journal does not do.
    """

    enabled: bool = True
    num_consumers: int | None = None
    """How many requests may be under way at once; None: 10, and 1 for metrics, whose order matters to backends."""
    wait_for_result: bool = False
    block_on_overflow: bool = False
    sizer: str | None = None
    """What `queue_size` counts: requests, items or bytes; None: requests."""
    queue_size: int | None = None
    """How much may wait for this destination; None: as much as the journal holds. What is more is set aside."""
    storage: str | None = None
    batch: BatchConfig | None = None
    """None: what waits is merged into requests of up to 2 MiB, and nothing waits for more to come."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, and what the journal does not do."""
        _refuse_what_the_journal_decides(self)
        if self.num_consumers is not None and self.num_consumers < 1:
            raise ConfigError(f"{_KEY}::num_consumers: must be at least 1")
        if self.queue_size is not None and self.queue_size < 1:
            raise ConfigError(f"{_KEY}::queue_size: must be at least 1; leave it out for as much as the journal holds")
        if self.sizer is not None and self.sizer not in _SIZERS:
            raise ConfigError(f"{_KEY}::sizer: {self.sizer!r} is not one of {', '.join(_SIZERS)}")


def _refuse_what_the_journal_decides(config: QueueConfig) -> None:
    if not config.enabled:
        raise ConfigError(
            f"{_KEY}::enabled: cannot be false: the journal is the queue, and what is acknowledged is in it; "
            "leave the key out"
        )
    if config.wait_for_result:
        raise ConfigError(
            f"{_KEY}::wait_for_result: cannot be true: a sender is answered when its data is on disk; leave the key out"
        )
    if config.block_on_overflow:
        raise ConfigError(
            f"{_KEY}::block_on_overflow: cannot be true: senders are told to come back when the journal is full "
            "(UNAVAILABLE, 503); leave the key out"
        )
    if config.storage is not None:
        raise ConfigError(
            f"{_KEY}::storage: the queue is always on disk, in the journal of service::data_dir; leave the key out"
        )


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How requests are made of what waits. Without `flush_s` nothing waits for more to come."""

    max_bytes: int
    max_items: int
    cuts: bool
    """Whether a received request that is larger is cut; else it goes as it came."""
    min_bytes: int = 0
    min_items: int = 0
    flush_s: float = 0.0


def batch_limits(queue: QueueConfig) -> BatchLimits:
    """Return what the config says about batches."""
    batch = queue.batch
    if batch is None:
        return BatchLimits(_MERGED_BYTES, _NO_LIMIT, cuts=False)
    flush_s = duration_s(batch.flush_timeout, f"{_KEY}::batch::flush_timeout") if batch.min_size else 0.0
    max_size = batch.max_size or _NO_LIMIT
    if (batch.sizer or queue.sizer) == "bytes":
        return BatchLimits(max_size, _NO_LIMIT, cuts=True, min_bytes=batch.min_size, flush_s=flush_s)
    return BatchLimits(_NO_LIMIT, max_size, cuts=True, min_items=batch.min_size, flush_s=flush_s)


def consumers(queue: QueueConfig, signal: Signal) -> int:
    """Return how many requests of a signal may be under way at once."""
    if queue.num_consumers is not None:
        return queue.num_consumers
    return 1 if signal is Signal.METRICS else _CONSUMERS


def queue_limit(queue: QueueConfig) -> Backlog | None:
    """Return the most that may wait for the destination; None: as much as the journal holds."""
    if queue.queue_size is None:
        return None
    counted = {"bytes": "bytes", "items": "items"}.get(queue.sizer or "requests", "payloads")
    return replace(Backlog(_NO_LIMIT, _NO_LIMIT, _NO_LIMIT), **{counted: queue.queue_size})
