"""One pipeline at run time: processors, then the journal, then whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from otel_carbon.pipeline.component import Consumer, Processor, Telemetry
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Pipeline", "fan_out"]

_LONG_BODY_BYTES = 1 << 20  # what takes longer than some milliseconds must not keep every other request waiting


Step = Callable[..., AbstractContextManager[None]]
"""Called with a name and attributes: what is done inside is a step that may be traced."""


def _no_step(_name: str, **_attributes: str) -> AbstractContextManager[None]:
    return _NO_STEP


_NO_STEP = nullcontext()


class Watcher(Protocol):
    """A connector, or whoever else wants to see what passed."""

    def observe(self, payload: Payload) -> None:
        """See a payload that has been acknowledged. Must not block."""
        ...


class Pipeline:
    """Takes payloads of one signal; `consume` returns when the payload is on disk."""

    def __init__(
        self,
        id_: str,
        signal: Signal,
        processors: Sequence[tuple[str, Processor]],
        append: Callable[[str, Payload], Future[int]],
        telemetry: Telemetry,
        *,
        step: Step = _no_step,
    ) -> None:
        self.id = id_
        self.signal = signal
        self.watchers: list[Watcher] = []
        self._processors = processors
        self._append = append
        self._telemetry = telemetry
        self._step = step

    async def consume(self, payload: Payload) -> None:
        """Process the payload, write it to the journal, and show it to whoever watches.

        Raises:
            InvalidDataError: a processor cannot read it.
            UnavailableError: the journal cannot take it now.
        """
        if len(payload.body) > _LONG_BODY_BYTES and self._processors:
            processed = await asyncio.to_thread(self._process, payload)
        else:
            processed = self._process(payload)
        with self._step("journal/append", pipeline=self.id):
            await asyncio.wrap_future(self._append(self.id, processed))
        for watcher in self.watchers:
            watcher.observe(processed)

    def _process(self, payload: Payload) -> Payload:
        for id_, processor in self._processors:
            arrived = payload.items
            with self._step(f"processor/{id_}/{self.signal}", processor=id_):
                payload = processor.process(payload)
            self._count("processor_incoming_items", id_, arrived)
            self._count("processor_outgoing_items", id_, payload.items)
        return payload

    def _count(self, name: str, processor: str, items: int) -> None:
        self._telemetry.count(name, items, processor=processor, otel_signal=self.signal.value)


def fan_out(consumers: Sequence[Consumer]) -> Consumer:
    """Return a consumer that gives a payload to all of these, and fails when one of them does."""
    if len(consumers) == 1:
        return consumers[0]

    async def consume(payload: Payload) -> None:
        results = await asyncio.gather(*(consumer(payload) for consumer in consumers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    return consume
