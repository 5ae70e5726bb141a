"""What two processes say to one another: questions and answers, one JSON object per line, both ways at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Self

__all__ = ["Answer", "Link", "LinkError", "UnansweredError"]

Answer = Callable[[Any], Awaitable[Any]]
"""Answers one kind of question; what is asked and what is answered can be written as JSON."""

_LOG = logging.getLogger(__name__)
_LONGEST_LINE = 256 << 20
_MOST_UNREAD_BYTES = 16 << 20  # questions are repeated: without a limit they pile up where the other process is stopped


class LinkError(Exception):
    """The other process has ended, takes too long, or could not answer."""


class UnansweredError(LinkError):
    """The question may have reached the other process, and it may have done what it was asked for."""


class Link:
    """One end of a socket between two processes of one gateway."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Mapping[str, Answer]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answers = answers
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._is_open = True

    @classmethod
    async def over(cls, end: socket.socket, answers: Mapping[str, Answer]) -> Self:
        """Return a link over a connected socket, which it closes in the end."""
        reader, writer = await asyncio.open_connection(sock=end, limit=_LONGEST_LINE)
        return cls(reader, writer, answers)

    async def ask(self, what: str, about: Any = None, timeout_s: float = 10.0) -> Any:
        """Return the answer of the other side.

        Raises:
            LinkError: there is none; UnansweredError where it is not known whether the other side was reached.
        """
        if not self._is_open:
            raise LinkError("the other process has ended")
        if self._writer.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            raise LinkError(f"the other process does not read ({what})")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._write({"number": number, "ask": what, "about": about})
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise UnansweredError(f"the other process does not answer ({what})") from error
        finally:
            self._waiting.pop(number, None)

    async def run(self) -> None:
        """Read until the other side has ended."""
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            _LOG.debug("a link between processes broke: %s", error)
        finally:
            self.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        self._is_open = False
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(UnansweredError("the other process has ended"))
        self._writer.close()

    def _take(self, message: Mapping[str, Any]) -> None:
        if "ask" in message:
            task = asyncio.create_task(self._answer(message["number"], message["ask"], message["about"]))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        answer = self._waiting.get(message["number"])
        if answer is None or answer.done():
            return  # nobody waits any more
        if "failed" in message:
            answer.set_exception(LinkError(message["failed"]))
        else:
            answer.set_result(message["answer"])

    async def _answer(self, number: int, what: str, about: Any) -> None:
        try:
            answer = await self._answers[what](about)
        except Exception as error:  # noqa: BLE001  whatever it is, the one who asks must not wait for ever
            _LOG.debug("a question of another process could not be answered", exc_info=error)
            self._write({"number": number, "failed": f"{type(error).__name__}: {error}"})
        else:
            self._write({"number": number, "answer": answer})

    def _write(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError, RuntimeError):  # `run` notices that the other side has ended
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
