"""Group commit: one thread takes everything that waits and makes it one transaction."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from otel_carbon.pipeline.pdata import Payload

__all__ = ["Append", "Writer"]

_MAX_BATCH_BYTES = 16 << 20
_CURSORS_WAIT_S = 0.05  # a cursor's move is stored with the next append, or after this long
_TRY_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Append:
    """A payload on its way to the disk. The future gets its position."""

    pipeline_id: str
    payload: Payload
    done: Future[int] = field(default_factory=Future[int])


class Writer:
    """A thread that calls `commit` with what was put in, in order. `commit` returns whether the disk took it."""

    def __init__(self, commit: Callable[[list[Append]], bool]) -> None:
        self._commit = commit
        self._queue: queue.SimpleQueue[Append | None] = queue.SimpleQueue()  # None: only cursors have moved
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def put(self, append: Append) -> None:
        """Hand over a payload. Its future is resolved after the commit."""
        self._queue.put(append)

    def wake(self) -> None:
        """Say that there is something to store beside payloads."""
        self._queue.put(None)

    def stop(self) -> None:
        """Write what is left and end. Safe to call twice."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        healthy = True
        while not self._stopping.is_set() or not self._queue.empty():
            healthy = self._commit(self._batch(healthy=healthy))
        self._commit([])

    def _batch(self, *, healthy: bool) -> list[Append]:
        first = self._wait(None if healthy else _TRY_AGAIN_S)
        if first is None and not self._stopping.is_set():
            first = self._wait(_CURSORS_WAIT_S)
        batch = [] if first is None else [first]
        size = 0 if first is None else len(first.payload.body)
        while size < _MAX_BATCH_BYTES:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is not None:
                batch.append(following)
                size += len(following.payload.body)
        return batch

    def _wait(self, timeout_s: float | None) -> Append | None:
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
