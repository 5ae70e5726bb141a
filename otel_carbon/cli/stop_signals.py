"""SIGTERM and SIGINT for a command that waits most of the time: noticed at once while it waits, else when it asks."""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

__all__ = ["StopSignals"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Takes the two signals over, as a context, in the main thread."""

    def __enter__(self) -> Self:
        """Begin."""
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno())
        self._handlers = {number: signal.signal(number, _noted) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()

    def wait(self, timeout_s: float = 0.0) -> bool:
        """Return whether one has come, after at most so long."""
        return bool(select.select([self._reader], [], [], timeout_s)[0])


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: Python has written the signal to the socket already."""
