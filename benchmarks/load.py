"""Load at a fixed rate, and a sink that counts: processes of their own, so that what is measured is not slowed down."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from recorded import Corpus

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_EXPORT = f"/{_SERVICE}/Export"
_TIMEOUT_S = 30.0
_SIZES: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", 128 << 20),
    ("grpc.max_receive_message_length", 128 << 20),
]
_OPTIONS = [*_SIZES, ("grpc.use_local_subchannel_pool", 1)]  # a connection for each channel


@dataclass(frozen=True)
class Offered:
    """What was sent, and what became of it. Latency is counted from when a request was due, not from when it left."""

    sent: int
    acknowledged: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Load:
    """What to send: `per_second` spans in an open loop or, where it is None, as fast as `in_flight` allow."""

    address: str
    genai_share: float
    size: int
    seconds: float
    per_second: float | None = None
    in_flight: int = 8
    connections: int = 1


def offer(load: Load) -> Offered:
    """Send from another process, and wait for all answers."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        return elsewhere.submit(_run, load).result()


def _run(load: Load) -> Offered:
    return asyncio.run(_Client(load).run())


class _Client:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._corpus = Corpus(load.genai_share, load.size)
        self._number = (os.getpid() & 0xFFFF) << 24  # no two runs have an id in common
        self._waits_s: list[float] = []
        self._refused = 0
        self._exports: list[Callable[..., Awaitable[bytes]]] = []

    async def run(self) -> Offered:
        async with AsyncExitStack() as stack:
            channels = [
                await stack.enter_async_context(grpc.aio.insecure_channel(self._load.address, options=_OPTIONS))
                for _ in range(self._load.connections)
            ]
            self._exports = [channel.unary_unary(_EXPORT, None, None) for channel in channels]
            for _ in channels:
                await self._send(time.monotonic())
            self._waits_s.clear()  # the first ones have the connection in them
            began_s = time.monotonic()
            await (self._closed(began_s) if self._load.per_second is None else self._open(began_s))
            seconds = time.monotonic() - began_s
        waits_s = sorted(self._waits_s) or [0.0]
        taken = len(self._waits_s) + self._load.connections
        p50_ms, p99_ms = (waits_s[int(share * (len(waits_s) - 1))] * 1e3 for share in (0.5, 0.99))
        size = self._load.size
        return Offered((taken + self._refused) * size, taken * size, self._refused * size, seconds, p50_ms, p99_ms)

    async def _open(self, began_s: float) -> None:
        assert self._load.per_second is not None
        apart_s = self._load.size / self._load.per_second
        sending: list[asyncio.Task[None]] = []
        for turn in range(max(1, int(self._load.seconds / apart_s))):
            due_s = began_s + turn * apart_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            sending.append(asyncio.create_task(self._send(due_s)))
        await asyncio.gather(*sending)

    async def _closed(self, began_s: float) -> None:
        async def sender() -> None:
            while time.monotonic() < began_s + self._load.seconds:
                await self._send(time.monotonic())

        await asyncio.gather(*(sender() for _ in range(self._load.in_flight)))

    async def _send(self, due_s: float) -> None:
        self._number += 1
        export = self._exports[self._number % len(self._exports)]
        try:
            await export(self._corpus.request(self._number), timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            self._refused += 1
        else:
            self._waits_s.append(time.monotonic() - due_s)


class _Sink:
    def __init__(self) -> None:
        self.spans = self.marked = 0

    async def export(self, body: bytes, _context: object) -> bytes:
        request = ExportTraceServiceRequest.FromString(body)
        self.spans += sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans)
        self.marked += body.count(b"otel_carbon.status")
        return b""

    async def counted(self, _body: bytes, _context: object) -> bytes:
        return json.dumps([self.spans, self.marked]).encode()


async def _serve() -> None:
    sink = _Sink()
    server = grpc.aio.server(options=[*_SIZES, ("grpc.so_reuseport", 0)])
    methods = {
        "Export": grpc.unary_unary_rpc_method_handler(sink.export, None, None),
        "Counted": grpc.unary_unary_rpc_method_handler(sink.counted, None, None),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"grpc": f"127.0.0.1:{port}"}), flush=True)
    await server.wait_for_termination()


def counted(address: str) -> tuple[int, int]:
    """Return how many spans the sink has got, and how many of them have a footprint or a reason for none."""
    with grpc.insecure_channel(address) as channel:
        spans, marked = json.loads(channel.unary_unary(f"/{_SERVICE}/Counted", None, None)(b"", timeout=_TIMEOUT_S))
    return spans, marked


if __name__ == "__main__" and sys.argv[1:] == ["sink"]:
    asyncio.run(_serve())
