"""A worker as its supervisor sees it: a process, a link to it, and what it last said of itself."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from otel_carbon.gateway.telemetry import Family
from otel_carbon.gateway.workers.link import Answer, Link, LinkError, UnansweredError
from otel_carbon.gateway.workers.role import WorkerRole
from otel_carbon.gateway.workers.sums import as_families
from otel_carbon.gateway.workers.tell import Message, Told

__all__ = ["WorkerProcess"]

_STARTS_WITHIN_S = 120.0
_STATE_WITHIN_S = 5.0
_SILENT_LOOKS = 12  # somewhat more than a minute
_LOG = logging.getLogger(__name__)


class WorkerProcess:
    """One run of a worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._silent_looks = 0
        self._began_s = time.monotonic()
        self._link: Link | None = None
        self._listening: asyncio.Task[None] | None = None
        self._told: Told | None = None
        self._ready = asyncio.Event()
        self._counted_all = asyncio.Event()
        self.endpoints: Mapping[str, str] = {}
        """What it listens on, once it does."""
        self.journal_id: str | None = None
        """What its journal is named, once it listens."""
        self.families: list[Family] = []
        """Its metrics, as of the last `refresh`."""
        self.failure: str | None = None
        """Why it did not start, where it said so."""
        self.unready: str | None = "the worker is starting"
        """Why it should get no traffic, as of the last `refresh`."""

    @classmethod
    async def start(
        cls,
        number: int,
        command: Callable[[str], Sequence[str]],
        answers: Mapping[str, Answer],
        take: Callable[[Message], None],
        *,
        only_drains: bool = False,
    ) -> Self:
        """Start the process. `answers` are those to what it may ask, `take` takes what it tells."""
        (ours, theirs), (hears, tells) = socket.socketpair(), socket.socketpair()
        with theirs, tells:
            role = WorkerRole(number, theirs.fileno(), tells.fileno(), only_drains)
            passed = (theirs.fileno(), tells.fileno())
            process = await asyncio.create_subprocess_exec(*command(str(role)), pass_fds=passed)
        worker = cls(process)
        worker._told = await Told.over(hears, lambda message: worker._take(message, take))
        worker._link = await Link.over(ours, {**answers, "ready": worker._be_ready, "failed": worker._fail})
        worker._listening = asyncio.create_task(worker._link.run(), name=f"link to worker {number}")
        return worker

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Return whether it takes data."""
        return self.unready is None

    async def started(self) -> bool:
        """Wait until it listens; False when it ended instead."""
        ready, ended = asyncio.create_task(self._ready.wait()), asyncio.create_task(self._process.wait())
        await asyncio.wait((ready, ended), timeout=_STARTS_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        for task in (ready, ended):
            task.cancel()
        await self.refresh()
        return self._ready.is_set() and self._process.returncode is None

    async def ended(self) -> tuple[int, float]:
        """Wait until it has ended; return its exit code, negative for a signal, and for how many seconds it ran."""
        code = await self._process.wait()
        self.unready = f"the worker has ended ({code})"
        await self._heard_all()
        if self._link is not None:
            self._link.close()
        return code, time.monotonic() - self._began_s

    async def counted_all(self) -> None:
        """Wait until it has told everything that it will ever count, or has ended."""
        said, ended = asyncio.create_task(self._counted_all.wait()), asyncio.create_task(self._heard_all())
        await asyncio.wait((said, ended), return_when=asyncio.FIRST_COMPLETED)
        for task in (said, ended):
            task.cancel()

    async def refresh(self) -> LinkError | None:
        """Ask it for its state. One that does not answer keeps its metrics and is not ready; return why."""
        try:
            state = await self.ask("state", within_s=_STATE_WITHIN_S)
        except LinkError as error:
            self.unready = str(error)
            return error
        self.families, self.unready = as_families(state["families"]), state["unready"]
        return None

    async def look(self) -> None:
        """Ask it for its state, and end it where it has not answered many times in a row: it hangs.

        The kernel would go on to give it connections. Looks are counted and not seconds: where the supervisor itself
        was stopped, it must not blame the workers.
        """
        error = await self.refresh()
        self._silent_looks = self._silent_looks + 1 if isinstance(error, UnansweredError) else 0
        if self._silent_looks >= _SILENT_LOOKS and self._ready.is_set() and self._process.returncode is None:
            _LOG.error("the worker with process id %d does not answer and is ended", self.pid)
            self._signal(signal.SIGKILL)

    async def describe(self) -> dict[str, Any]:
        """Return its description, with what only the supervisor knows."""
        known = {"pid": self.pid, "ready": self.is_ready, "unready_reason": self.unready}
        with suppress(LinkError):
            return {**known, **await self.ask("describe")}
        return known

    def take_families(self) -> list[Family]:
        """Return its metrics, and forget them."""
        families, self.families = self.families, []
        return families

    def reload(self) -> None:
        """Let it read the config again, once it is ready."""
        if self._ready.is_set():
            self._signal(signal.SIGHUP)

    async def stop(self, within_s: float) -> None:
        """Let it drain; end it when it takes too long."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await self._heard_all()
        if self._listening is not None:
            self._listening.cancel()
        if self._link is not None:
            self._link.close()

    async def ask(self, what: str, about: Any = None, within_s: float = _STATE_WITHIN_S) -> Any:
        """Return its answer. Raises LinkError."""
        if self._link is None:
            raise LinkError("the worker has no link")
        return await self._link.ask(what, about, timeout_s=within_s)

    async def _be_ready(self, about: Any) -> None:
        self.endpoints, self.journal_id = about
        self._ready.set()

    async def _fail(self, about: Any) -> None:
        self.failure = str(about)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal. asyncio would first ask whether the process has ended, and take its exit code away."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _take(self, message: Message, take: Callable[[Message], None]) -> None:
        if message == ("counted all",):
            self._counted_all.set()
        else:
            take(message)

    async def _heard_all(self) -> None:
        if self._told is not None:
            await self._told.ended()
