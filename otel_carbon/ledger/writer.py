"""Recording from inside an application: off its threads, across forks, and never in its way."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from otel_carbon.errors import StorageError
from otel_carbon.estimator import Estimator
from otel_carbon.ledger.book import Ledger
from otel_carbon.ledger.extra import require_ledger_extra
from otel_carbon.ledger.forks import abandon, watch_forks
from otel_carbon.ledger.paths import ledger_path
from otel_carbon.model import Reversal, Sighting

__all__ = ["LedgerWriter"]

_logger = logging.getLogger(__name__)
_RETRY_AFTER_S = 1.0
_CLOSE_TIMEOUT_S = 10.0
_FORK_TIMEOUT_S = 5.0

_Item = Sighting | Callable[[], Sighting]


class LedgerWriter:
    """Takes sightings from any thread and records them in batches from a thread of its own.

    A batch is `batch_size` sightings, or what came within `interval_s`. A disk that does not take a batch is tried
    again; meanwhile the queue fills up, and what finds it full is dropped: counted, logged once, never raised into
    the application. Several processes may write to one file. After a fork the child begins with an empty queue, a
    thread and a connection of its own; what was pending stays the parent's.

    `on_reversal` is called from that thread with what counters must take back, once it is in the ledger.

    Raises:
        ConfigError: the path is a URL of another kind of database.
        MissingExtraError: sqlite-utils is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        estimator: Estimator,
        *,
        source: str = "sdk",
        batch_size: int = 256,
        interval_s: float = 0.5,
        queue_size: int = 16_384,
        on_reversal: Callable[[Reversal], None] | None = None,
    ) -> None:
        require_ledger_extra("the in-app ledger")
        self.path = ledger_path(path)
        self._estimator = estimator
        self._source = source
        self._batch_size = batch_size
        self._interval_s = interval_s
        self._queue_size = queue_size
        self._on_reversal = on_reversal
        self.recorded = 0
        """Sightings that are in the ledger."""
        self.dropped = 0
        """Sightings that found the queue full, came after `close`, or that the ledger never took."""
        self._closed = False
        self._reset()
        watch_forks(self)
        atexit.register(self.close)

    def submit(self, sighting: Sighting) -> bool:
        """Queue a sighting. Never blocks and never raises; False means that it was dropped."""
        return self._enqueue(sighting)

    def submit_later(self, make: Callable[[], Sighting]) -> bool:
        """Queue what makes a sighting; the writer's thread calls it."""
        return self._enqueue(make)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until everything submitted before is recorded. False: not within the time."""
        if self._thread is None or not self._thread.is_alive():
            return not self._queue
        passed = threading.Event()
        self._queue.append(passed)
        self._hurry.set()
        self._some.set()
        return passed.wait(timeout_s)

    def close(self) -> None:
        """Record what is queued and stop. Safe to call twice; what is submitted afterwards is dropped."""
        self._closed = True
        self._hurry.set()
        self._some.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_TIMEOUT_S)
        atexit.unregister(self.close)

    def before_fork(self) -> None:
        """Wait until no batch is being written: SQLite's own locks are copied by a fork, too."""
        self._held_for_fork = self._in_sqlite.acquire(timeout=_FORK_TIMEOUT_S)

    def after_fork_in_parent(self) -> None:
        """Go on writing."""
        if self._held_for_fork:
            self._in_sqlite.release()

    def after_fork_in_child(self) -> None:
        """Begin with an empty queue, no thread and no connection."""
        if self._ledger is not None:
            abandon(self._ledger)
        self.recorded = self.dropped = 0
        self._reset()

    def _reset(self) -> None:
        """Begin with nothing pending; also in a child process, where locks may have been copied while held."""
        self._queue: deque[_Item | threading.Event] = deque()
        self._some = threading.Event()
        self._hurry = threading.Event()
        self._starting = threading.Lock()
        self._in_sqlite = threading.Lock()
        self._held_for_fork = False
        self._thread: threading.Thread | None = None
        self._ledger: Ledger | None = None
        self._complained = False

    def _enqueue(self, item: _Item) -> bool:
        queue = self._queue
        if self._closed or len(queue) >= self._queue_size:
            self._drop(1, "its queue is full" if not self._closed else "it is closed")
            return False
        queue.append(item)
        if not self._some.is_set():
            self._some.set()
        if len(queue) >= self._batch_size and not self._hurry.is_set():
            self._hurry.set()
        if self._thread is None:
            self._start()
        return True

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="otel-carbon-ledger", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._some.wait()
            if not self._closed:
                self._hurry.wait(self._interval_s)
            self._some.clear()
            self._hurry.clear()
            while self._queue:
                self._step()
            if self._closed and not self._queue:
                break
        if self._ledger is not None:
            self._ledger.close()

    def _step(self) -> None:
        batch, passed = self._take()
        if batch and not self._record(batch):
            if self._closed:
                self._drop(len(batch), "the ledger cannot be written")
            else:
                self._put_back(batch, passed)
                self._hurry.clear()
                self._hurry.wait(_RETRY_AFTER_S)
                return
        if passed is not None:
            passed.set()

    def _take(self) -> tuple[list[_Item], threading.Event | None]:
        batch: list[_Item] = []
        while self._queue and len(batch) < self._batch_size:
            item = self._queue.popleft()
            if isinstance(item, threading.Event):
                return batch, item
            batch.append(item)
        return batch, None

    def _put_back(self, batch: list[_Item], passed: threading.Event | None) -> None:
        if passed is not None:
            self._queue.appendleft(passed)
        self._queue.extendleft(reversed(batch))

    def _record(self, batch: list[_Item]) -> bool:
        """Record a batch; False where trying again can help."""
        try:
            with self._in_sqlite:
                if self._ledger is None:
                    self._ledger = Ledger.open(self.path, estimator=self._estimator)
                sightings = [item if isinstance(item, Sighting) else item() for item in batch]
                recorded = self._ledger.record(sightings, source=self._source)
        except StorageError as error:
            self._complain("%s; trying again", error)
            return False
        except Exception as error:  # noqa: BLE001 - here spans leave the application: it must not hear of our trouble
            self._drop(len(batch), repr(error))
            return True
        self.recorded += len(batch)
        self._complained = False
        if self._on_reversal is not None:
            for reversal in recorded.reversals:
                self._on_reversal(reversal)
        return True

    def _drop(self, count: int, reason: str) -> None:
        self.dropped += count
        self._complain("dropping calls for the ledger %s: %s", self.path, reason)

    def _complain(self, message: str, *values: object) -> None:
        if not self._complained:
            self._complained = True
            _logger.warning(message, *values)
