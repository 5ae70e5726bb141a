"""Clients over gRPC and HTTP that remember what was acknowledged, and send again what was not, as SDKs do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import grpc
import grpc.aio
from spans import span_id, traces

__all__ = ["SpanLoad"]

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_TIMEOUT_S = 10.0

_Send = Callable[[bytes], Awaitable[bool]]


class SpanLoad:
    """Requests of `spans_per_request` spans; every other one has GenAI spans only, the rest none.

    What the gateway turned away or never answered is sent again, also to the next gateway. Requests are numbered from
    `first`, and spans after them.
    """

    def __init__(self, spans_per_request: int = 5, senders: int = 3, first: int = 0) -> None:
        self.acknowledged: set[str] = set()
        self.acknowledged_genai: set[str] = set()
        self.sent: set[str] = set()
        self.some = asyncio.Event()
        """Set with every acknowledgement."""
        self._spans = spans_per_request
        self._senders = senders
        self._next = first
        self._unanswered: list[int] = []

    async def run(self, ready: Mapping[str, Any]) -> None:
        """Send to a gateway until it is gone."""
        async with (
            grpc.aio.insecure_channel(ready["grpc"]) as channel,
            aiohttp.ClientSession() as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self._senders):
                group.create_task(self._send(_over_grpc(channel)))
                group.create_task(self._send(_over_http(session, f"{ready['http']}/v1/traces")))

    async def _send(self, send: _Send) -> None:
        while True:
            number = self._unanswered.pop() if self._unanswered else self._take_number()
            first, genai = number * self._spans, number % 2 == 0
            ids = {span_id(each) for each in range(first, first + self._spans)}
            self.sent |= ids
            if not await send(traces(first, self._spans, genai=genai)):
                self._unanswered.append(number)
                return
            self.acknowledge(ids, genai=genai)

    def acknowledge(self, ids: set[str], *, genai: bool) -> None:
        """Note what the gateway has taken."""
        self.acknowledged |= ids
        self.acknowledged_genai |= ids if genai else set()
        self.some.set()

    def _take_number(self) -> int:
        self._next += 1
        return self._next - 1


def _over_grpc(channel: grpc.aio.Channel) -> _Send:
    export = channel.unary_unary(_EXPORT, None, None)

    async def send(body: bytes) -> bool:
        try:
            await export(body, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return True

    return send


def _over_http(session: aiohttp.ClientSession, url: str) -> _Send:
    async def send(body: bytes) -> bool:
        try:
            answer = await session.post(url, data=body, headers=_PROTOBUF, timeout=aiohttp.ClientTimeout(_TIMEOUT_S))
        except (aiohttp.ClientError, TimeoutError):
            return False
        async with answer:
            return answer.status == 200

    return send
