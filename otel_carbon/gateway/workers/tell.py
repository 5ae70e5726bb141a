"""What workers tell the supervisor without waiting for an answer: one socket per worker, in one direction."""

from __future__ import annotations

import asyncio
import logging
import marshal
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

__all__ = ["Message", "Teller", "Told"]

Message = tuple[Any, ...]
"""Its kind, and what it is about, in plain values."""

_LOG = logging.getLogger(__name__)
_LENGTH_BYTES = 4
_MOST_UNREAD_BYTES = 64 << 20  # some 300,000 calls


class Teller:
    """The end of a worker.

    What it was given to tell outlives the worker, for the kernel keeps it until the supervisor reads it; while that
    lags and a socket is full, `tell` waits. A supervisor that does not read for `patience_s` is not waited for: the
    worker keeps what it has to tell in memory until it does.
    """

    def __init__(self, end: socket.socket, patience_s: float = 0.5) -> None:
        end.setblocking(False)
        self._end = end
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._unread: deque[memoryview] = deque()
        self._unread_bytes = 0
        self._sender: threading.Thread | None = None

    def tell(self, message: Message) -> None:
        """Hand a message over. One to a supervisor that has ended is lost; so is this process then."""
        text = marshal.dumps(message)  # both ends run the same interpreter, and only a process of ours has the socket
        rest = memoryview(len(text).to_bytes(_LENGTH_BYTES, "big") + text)
        with self._lock:
            if self._sender is None:
                rest = self._sent(rest, time.monotonic() + self._patience_s)
            if rest:
                self._keep(rest)

    def refusal(self) -> str | None:
        """Return why nothing that is counted should be taken now: too much of it is not told yet."""
        if self._unread_bytes <= _MOST_UNREAD_BYTES:
            return None
        return "the supervisor does not take in what this worker counts"

    def close(self, within_s: float = 5.0) -> None:
        """Close this end, once everything is told. Safe to call twice."""
        sender = self._sender
        if sender is not None:
            sender.join(within_s)
        self._end.close()

    def _sent(self, rest: memoryview, until_s: float) -> memoryview:
        """Send what can be sent until a time, and return what is left of it."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            while rest:
                with suppress(BlockingIOError):
                    rest = rest[self._end.send(rest) :]
                    continue
                wait_s = until_s - time.monotonic()
                if wait_s <= 0.0:
                    return rest
                _wait_to_write(self._end, wait_s)
        return memoryview(b"")

    def _keep(self, rest: memoryview) -> None:
        self._unread.append(rest)
        self._unread_bytes += len(rest)
        if self._sender is None:
            _LOG.warning("the supervisor does not read what this worker counts; it is kept until it does")
            self._sender = threading.Thread(target=self._send_kept, name="telling", daemon=True)
            self._sender.start()

    def _send_kept(self) -> None:
        while True:
            with suppress(OSError, ValueError):
                _wait_to_write(self._end, None)
            with self._lock:
                if not self._unread:
                    self._sender = None
                    return
                self._unread_bytes -= len(self._unread[0])
                if rest := self._sent(self._unread.popleft(), 0.0):
                    self._unread.appendleft(rest)
                    self._unread_bytes += len(rest)


def _wait_to_write(end: socket.socket, for_s: float | None) -> None:
    waiting = select.poll()
    waiting.register(end, select.POLLOUT)
    waiting.poll(None if for_s is None else 1000 * for_s)


class Told(asyncio.Protocol):
    """The end of the supervisor: reads what is told, also what a worker told before it was killed."""

    def __init__(self, take: Callable[[Message], None]) -> None:
        self._take = take
        self._unread = bytearray()
        self._ended = asyncio.Event()

    @classmethod
    async def over(cls, end: socket.socket, take: Callable[[Message], None]) -> Self:
        """Return one that reads a connected socket until the other side has ended, and closes it."""
        _, told = await asyncio.get_running_loop().create_connection(lambda: cls(take), sock=end)
        return told

    async def ended(self) -> None:
        """Wait until everything is read that the other side has told before it ended."""
        await self._ended.wait()

    def data_received(self, data: bytes) -> None:
        """Take the messages that are complete."""
        unread, at = self._unread, 0
        unread += data
        while len(unread) >= (begin := at + _LENGTH_BYTES):
            end = begin + int.from_bytes(unread[at:begin], "big")
            if end > len(unread):
                break
            self._take_one(unread[begin:end])
            at = end
        del unread[:at]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  its name is part of the interface
        """Note that there is no more."""
        self._ended.set()

    def _take_one(self, text: bytearray) -> None:
        try:
            self._take(marshal.loads(text))  # noqa: S302  see `Teller.tell`
        except Exception:  # noqa: BLE001  one that cannot be counted must not keep the others from it
            _LOG.exception("what a worker told could not be taken")
