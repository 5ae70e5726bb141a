"""What receivers and connectors hand their data to: it stays in their hands while what is behind it is exchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

from otel_carbon.errors import UnavailableError
from otel_carbon.pipeline.component import Consumer
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Feed", "Refusal", "Valve"]

Refusal = Callable[[], str | None]
"""Says why data must be refused now, before it is read; None when it is taken."""


class Valve:
    """Lets payloads pass, or keeps them waiting. Lives on one event loop."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._passing = 0

    async def close(self) -> None:
        """Keep what comes waiting; return when what was on its way is through."""
        self._open.clear()
        await self._idle.wait()

    def open(self) -> None:
        """Let what waits pass."""
        self._open.set()

    async def __aenter__(self) -> None:
        """Wait until it is open, and pass."""
        await self._open.wait()
        self._passing += 1
        self._idle.clear()

    async def __aexit__(self, *_error: object) -> None:
        """Be through."""
        self._passing -= 1
        if not self._passing:
            self._idle.set()


class Feed(Mapping[Signal, Consumer]):
    """The consumer per signal of one receiver or connector, and why it must not read anything now."""

    def __init__(self, valve: Valve) -> None:
        self._valve = valve
        self._targets: Mapping[Signal, Consumer] = {}
        self._refusals: tuple[Refusal, ...] = ()
        self._accounts = False

    def connect(
        self, targets: Mapping[Signal, Consumer], refusals: Iterable[Refusal], *, accounts: bool = False
    ) -> None:
        """Let payloads go to these consumers from now on. `accounts`: one of them tells spans apart by ids."""
        self._targets = targets
        self._refusals = tuple(refusals)
        self._accounts = accounts

    def accounts(self) -> bool:
        """Return whether spans are accounted for behind it, or only passed on."""
        return self._accounts

    def refusal(self) -> str | None:
        """Return why a processor behind it would refuse whatever comes; None when none would."""
        for refusal in self._refusals:
            reason = refusal()
            if reason is not None:
                return reason
        return None

    def __getitem__(self, signal: Signal) -> Consumer:
        """Return what takes the payloads of a signal, also after the next `connect`."""
        if signal not in self._targets:
            raise KeyError(signal)
        return self._consume

    def __iter__(self) -> Iterator[Signal]:
        """Return the signals that are taken now."""
        return iter(self._targets)

    def __len__(self) -> int:
        """Return how many signals are taken now."""
        return len(self._targets)

    async def _consume(self, payload: Payload) -> None:
        async with self._valve:
            target = self._targets.get(payload.signal)
            if target is None:
                raise UnavailableError(f"no pipeline takes {payload.signal} any more")
            await target(payload)
