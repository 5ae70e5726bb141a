"""What workers tell the supervisor without waiting for an answer: one socket per worker, in one direction."""

from __future__ import annotations

import asyncio
import logging
import marshal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

__all__ = ["Message", "Teller", "Told"]

Message = tuple[Any, ...]
"""Its kind, and what it is about, in plain values."""

_LOG = logging.getLogger(__name__)
_LENGTH_BYTES = 4


class Teller:
    """The end of a worker.

    What it was given to tell outlives the worker: the kernel keeps it until the supervisor reads it. So `tell` waits
    while more is to be read than a socket holds; the supervisor, for its part, never waits for a worker.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._end = end
        self._telling = threading.Lock()

    def tell(self, message: Message) -> None:
        """Hand a message over. One to a supervisor that has ended is lost; so is this process then."""
        text = marshal.dumps(message)  # both ends run the same interpreter, and only a process of ours has the socket
        with self._telling, suppress(OSError):
            self._end.sendall(len(text).to_bytes(_LENGTH_BYTES, "big") + text)

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        self._end.close()


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
