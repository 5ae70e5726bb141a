"""A message that repeats does not fill the disk: the Collector's `sampling` of logs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from otel_carbon.gateway.service_config import LogSamplingConfig
from otel_carbon.pipeline.duration import duration_s

__all__ = ["LogSampler"]

_MOST_MESSAGES = 4096  # messages with the culprit in their text are all different, and must not grow memory

_Key = tuple[str, int, str]


class LogSampler(logging.Filter):
    """Lets the first `initial` records of one message pass in each tick, and then every `thereafter`-th.

    A message is the text before its values are put in, so one that names a client counts as one message. The next
    record that passes says how many did not. Thread-safe.
    """

    def __init__(self, config: LogSamplingConfig, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._config = config
        self._tick_s = duration_s(config.tick, "tick")
        self._clock = clock
        self._lock = threading.Lock()
        self._began_s = clock()
        self._seen: dict[_Key, int] = {}
        self._left_out: dict[_Key, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        key = (record.name, record.levelno, str(record.msg))
        with self._lock:
            passes = self._passes(key)
            left_out = self._left_out.pop(key, 0) if passes else 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like this were left out)", ()
        return passes

    def _passes(self, key: _Key) -> bool:
        if self._clock() - self._began_s >= self._tick_s:
            self._began_s = self._clock()
            self._seen.clear()
        if len(self._seen) >= _MOST_MESSAGES:
            self._seen.clear()
            self._left_out.clear()
        number = self._seen[key] = self._seen.get(key, 0) + 1
        beyond = number - self._config.initial
        if beyond <= 0 or (self._config.thereafter and beyond % self._config.thereafter == 0):
            return True
        self._left_out[key] = self._left_out.get(key, 0) + 1
        return False
