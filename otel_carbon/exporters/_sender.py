"""Empties the queue of one destination: several requests at a time, and no failure costs more than it must."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from otel_carbon.errors import PermanentExportError, RetryableExportError
from otel_carbon.exporters._queue_config import QueueConfig, batch_limits, consumers
from otel_carbon.exporters._requests import MAX_REQUEST_BYTES, Request, halves, must_cut, requests_of
from otel_carbon.exporters._waiting import still_to_wait_s
from otel_carbon.journal.values import ReadLimits
from otel_carbon.pipeline.component import JournalEntry
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.undelivered import RefusedError, Undelivered, UnfinishedError

__all__ = ["ContentRefusedError", "Sender"]

_READ_BYTES = 16 << 20
_MIN_READ_ENTRIES = 2048
_MAX_READ_ENTRIES = 16384
# A destination that refuses this many requests in a row does not dislike a part of them: the rest is not taken apart.
_MAX_FRUITLESS = 64


class ContentRefusedError(PermanentExportError):
    """The destination refused these very bytes; it may still take parts of them."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


@dataclass(slots=True)
class _Plan:
    """How far the delivery of some entries is. It outlives a failure, so that a retry repeats nothing."""

    positions: frozenset[int]
    waiting: deque[Request]
    delivered: set[int]
    """Of entries that were not cut: of a part alone nothing follows for its entry."""
    refused: list[Undelivered] = field(default_factory=list[Undelivered])
    fruitless: int = 0
    failures: list[Exception] = field(default_factory=list[Exception])


class Sender:
    """Delivers entries through `send`, which takes one request of one signal.

    Requests begin in the order of the entries; with one consumer they also end in it.
    """

    def __init__(self, queue: QueueConfig, send: Callable[[Signal, bytes], Awaitable[None]]) -> None:
        self._queue = queue
        self._limits = batch_limits(queue)
        self._send = send
        self._plans: dict[Signal, _Plan] = {}

    @property
    def read_limits(self) -> ReadLimits:
        """Return how much is worth reading at once: enough for a batch, and for several requests at a time."""
        entries = max(_MIN_READ_ENTRIES, min(self._limits.min_items, _MAX_READ_ENTRIES))
        return ReadLimits(entries, _READ_BYTES)

    def wait_s(self, entries: Sequence[JournalEntry], now_unix_nano: int) -> float:
        """Return how long these entries should wait for more to come, in s."""
        limits = self._limits
        if not limits.flush_s or len(entries) >= self.read_limits.max_entries:
            return 0.0
        size = sum(len(entry.payload.body) for entry in entries)
        items = sum(entry.payload.items for entry in entries)
        if size >= min(limits.min_bytes or _READ_BYTES, _READ_BYTES) or items >= (limits.min_items or items + 1):
            return 0.0
        return still_to_wait_s(entries, now_unix_nano, limits.flush_s)

    async def deliver(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver the entries, all of one signal.

        Raises:
            UnfinishedError: some were not taken yet; call again with the same entries.
            RefusedError: some will never be taken, and all others are delivered.
        """
        if not entries:
            return
        signal = entries[0].payload.signal
        plan = self._plans[signal] = await self._plan(signal, entries)
        plan.failures = []
        workers = min(consumers(self._queue, signal), len(plan.waiting))
        await asyncio.gather(*(self._work(signal, plan) for _ in range(workers)))
        _raise_if_unfinished(plan)
        del self._plans[signal]
        if plan.refused:
            raise RefusedError(plan.refused)

    async def _plan(self, signal: Signal, entries: Sequence[JournalEntry]) -> _Plan:
        """Return what is left of the entries: after a failure the same ones come again, whole or one by one."""
        before = self._plans.get(signal)
        positions = frozenset(entry.position for entry in entries)
        if before is not None and before.positions == positions:
            return before
        delivered = before.delivered & positions if before is not None else set[int]()
        fresh = [entry for entry in entries if entry.position not in delivered]
        if any(must_cut(entry, self._limits) for entry in fresh):
            requests = await asyncio.to_thread(lambda: deque(requests_of(fresh, self._limits)))
        else:
            requests = deque(requests_of(fresh, self._limits))
        return _Plan(positions, requests, set(delivered))

    async def _work(self, signal: Signal, plan: _Plan) -> None:
        """Send one request after the other, until there are none or one has to wait."""
        while plan.waiting and not plan.failures:
            request = plan.waiting.popleft()
            try:
                await self._attempt(signal, request)
            except PermanentExportError as error:
                await _refused(plan, request, error)
            except BaseException as error:
                plan.waiting.appendleft(request)
                if not isinstance(error, Exception):
                    raise
                _forget_frames(error)
                plan.failures.append(error)
            else:
                plan.fruitless = 0
                if not request.is_part:
                    plan.delivered.update(entry.position for entry in request.entries)

    async def _attempt(self, signal: Signal, request: Request) -> None:
        body = request.body
        if len(body) > MAX_REQUEST_BYTES:
            raise PermanentExportError(f"a request of {len(body)} bytes is over the limit of {MAX_REQUEST_BYTES}")
        if body:  # an empty envelope is not sent
            await self._send(signal, body)


def _forget_frames(error: BaseException | None) -> None:
    """Let go of the frames of an error that is kept: they hold the body, and this plan, which holds the error.

    Such a ring is only found by a search for cycles, which a gateway that waits for a destination makes rarely.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


async def _refused(plan: _Plan, request: Request, error: PermanentExportError) -> None:
    """Let smaller requests wait in its place, so that one bad entry does not take its neighbours along, or give up."""
    plan.fruitless += 1
    smaller: Sequence[Request] = []
    if isinstance(error, ContentRefusedError) and plan.fruitless < _MAX_FRUITLESS:
        if len(request.entries) > 1:
            smaller = halves(request, too_large=False)
        else:  # cutting a body of megabytes takes a while
            smaller = await asyncio.to_thread(halves, request, too_large=error.too_large)
    plan.waiting.extendleft(reversed(smaller))
    if not smaller:
        plan.refused += [Undelivered(entry, str(error)) for entry in request.entries]


def _raise_if_unfinished(plan: _Plan) -> None:
    if not plan.failures:
        return
    plan.waiting = deque(sorted(plan.waiting, key=lambda request: request.position))
    unforeseen = [error for error in plan.failures if not isinstance(error, RetryableExportError)]
    if unforeseen:
        raise unforeseen[0]
    waits_s = [error.retry_after_s for error in plan.failures if isinstance(error, RetryableExportError)]
    asked_s = max((wait_s for wait_s in waits_s if wait_s is not None), default=None)
    reason = str(plan.failures[0])
    left = [Undelivered(entry, reason) for request in plan.waiting for entry in request.entries]
    raise UnfinishedError(reason, asked_s, [*plan.refused, *left])
