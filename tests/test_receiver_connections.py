"""How long an `otlp` receiver waits for the other side, and how it ends connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from certificates import Authority
from tcp import connected

from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers._grpc_keepalive import EnforcementPolicy, KeepaliveConfig, ServerParameters
from otel_carbon.receivers.otlp import Config, GrpcConfig, HttpConfig, OtlpReceiver, Protocols
from otel_carbon.security.certificates import ServerTlsConfig

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n"
_EMPTY_REQUEST = _HEAD + b"Content-Length: 0\r\n\r\n"
_LONG = "1h"
_SHORT = "100ms"


@dataclass
class Connection:
    """One side of a TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    address: str = ""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def is_closed(self) -> bool:
        """Wait for the other side to end the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(), 20) == b""
        except ConnectionResetError:
            return True


@asynccontextmanager
async def connection_to(http: HttpConfig, consume: Any = None) -> AsyncIterator[Connection]:
    async def take(payload: Payload) -> None:
        del payload

    receiver = OtlpReceiver(Config(Protocols(http=http)), Settings("otlp", dict.fromkeys(Signal, consume or take), {}))
    await receiver.start()
    try:
        address = receiver.endpoints["http"].partition("://")[2]
        async with connected(address) as streams:
            yield Connection(*streams, address)
    finally:
        await receiver.shutdown()


def config(**keys: str) -> HttpConfig:
    return HttpConfig("127.0.0.1:0", **{"read_header_timeout": _LONG, "idle_timeout": _LONG, **keys})


async def test_a_connection_without_a_request_is_closed() -> None:
    async with connection_to(config(read_header_timeout=_SHORT)) as connection:
        assert await connection.is_closed()


async def test_headers_that_trickle_are_not_waited_for() -> None:
    async with connection_to(config(read_header_timeout="300ms")) as connection:
        trickle = asyncio.create_task(_send_slowly(connection, _HEAD + b"X-Padding: " + b"x" * 4000))
        assert await connection.is_closed()
        trickle.cancel()


async def _send_slowly(connection: Connection, data: bytes) -> None:
    for start in range(len(data)):
        try:
            await connection.send(data[start : start + 1])
        except ConnectionError:
            return
        await asyncio.sleep(0.02)


async def test_headers_that_trickle_after_a_first_request_are_not_waited_for_either() -> None:
    async with connection_to(config(read_header_timeout=_SHORT)) as connection:
        await connection.send(_EMPTY_REQUEST)
        assert (await connection.answer()).startswith(b"HTTP/1.1 200 ")
        await connection.send(_HEAD)
        assert await connection.is_closed()


async def test_a_connection_that_is_idle_is_closed() -> None:
    async with connection_to(config(idle_timeout=_SHORT)) as connection:
        await connection.send(_EMPTY_REQUEST)
        assert (await connection.answer()).startswith(b"HTTP/1.1 200 ")
        assert await connection.is_closed()


async def test_a_request_that_takes_long_is_neither_idle_nor_late() -> None:
    answered = asyncio.Event()

    async def slow(payload: Payload) -> None:
        del payload
        await answered.wait()

    async with connection_to(config(read_header_timeout=_SHORT, idle_timeout=_SHORT), slow) as connection:
        await connection.send(_EMPTY_REQUEST)
        async with connected(connection.address) as streams:
            assert await Connection(*streams).is_closed()  # it came later and was idle or late already
        answered.set()
        assert (await connection.answer()).startswith(b"HTTP/1.1 200 ")


async def test_a_kept_connection_serves_one_request_after_the_other() -> None:
    async with connection_to(config()) as connection:
        for _ in range(3):
            await connection.send(_EMPTY_REQUEST)
            assert (await connection.answer()).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with connection_to(config()) as connection:
        await connection.send(_EMPTY_REQUEST + _EMPTY_REQUEST.replace(b"/v1/traces", b"/elsewhere") + _EMPTY_REQUEST)
        statuses = []
        for _ in range(3):
            head = await connection.answer()
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            await connection.reader.readexactly(length)
            statuses.append(head.split(b" ", 2)[1])
        assert statuses == [b"200", b"404", b"200"]


async def test_a_sender_that_closes_its_side_after_a_request_gets_the_answer() -> None:
    async def slow(payload: Payload) -> None:
        del payload
        await asyncio.sleep(0.1)

    async with connection_to(config(), slow) as connection:
        await connection.send(_EMPTY_REQUEST)
        connection.writer.write_eof()
        head = await connection.answer()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in head
        assert await connection.is_closed()


async def test_a_sender_that_closes_its_side_in_a_body_is_told_so() -> None:
    taken: list[Payload] = []

    async def consume(payload: Payload) -> None:
        taken.append(payload)

    async with connection_to(config(read_timeout=_LONG), consume) as connection:
        await connection.send(_HEAD + b"Content-Length: 100\r\n\r\nonly the beginning")
        connection.writer.write_eof()
        found = await asyncio.wait_for(connection.reader.read(), 20)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"the body ends before its end" in found
    assert taken == []


async def test_over_tls_a_connection_without_a_request_is_closed_too(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("gateway")
    tls = ServerTlsConfig(cert_file=pair.cert_file, key_file=pair.key_file)
    receiver = OtlpReceiver(
        Config(Protocols(http=HttpConfig("127.0.0.1:0", read_header_timeout=_SHORT, tls=tls))), Settings("otlp", {}, {})
    )
    await receiver.start()
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    async with connected(receiver.endpoints["http"].partition("://")[2], ssl=trusting) as streams:
        assert await Connection(*streams).is_closed()
    await receiver.shutdown()


# ---- gRPC -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def grpc_channel(keepalive: KeepaliveConfig, consume: Any) -> AsyncIterator[grpc.aio.Channel]:
    receiver = OtlpReceiver(
        Config(Protocols(grpc=GrpcConfig("127.0.0.1:0", keepalive=keepalive))),
        Settings("otlp", dict.fromkeys(Signal, consume), {}),
    )
    await receiver.start()
    async with grpc.aio.insecure_channel(receiver.endpoints["grpc"]) as channel:
        yield channel
    await receiver.shutdown()


async def closed(channel: grpc.aio.Channel) -> None:
    """Wait until the connection that a channel has is closed."""
    await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), 20)
    assert channel.get_state() is not grpc.ChannelConnectivity.READY


async def test_a_grpc_connection_without_calls_is_closed_when_a_limit_is_set() -> None:
    async def take(payload: Payload) -> None:
        del payload

    keepalive = KeepaliveConfig(ServerParameters(max_connection_idle="200ms"))

    async with grpc_channel(keepalive, take) as channel:
        await channel.unary_unary(_EXPORT)(b"")
        await closed(channel)


async def test_a_grpc_connection_that_is_old_is_closed_after_its_call() -> None:
    begun, answered = asyncio.Event(), asyncio.Event()

    async def slow(payload: Payload) -> None:
        del payload
        begun.set()
        await answered.wait()

    keepalive = KeepaliveConfig(ServerParameters(max_connection_age="200ms", max_connection_age_grace="1h"))

    async with grpc_channel(keepalive, slow) as channel:
        call = channel.unary_unary(_EXPORT)(b"")
        await asyncio.wait_for(begun.wait(), 20)
        await closed(channel)  # to new calls
        answered.set()
        assert await call == b""
        await channel.channel_ready()


PING, GOAWAY = 6, 7


def frame(kind: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, 0)) + bytes(4) + payload


async def last_of_pings(address: str, number: int) -> tuple[int, bytes]:
    """Send pings over a bare HTTP/2 connection, one after the answer to the other, and return what came last."""
    async with connected(address) as streams:
        return await _last_of_pings(Connection(*streams), number)


async def _last_of_pings(connection: Connection, number: int) -> tuple[int, bytes]:
    await connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4))
    kind, payload = 0, b""
    for _ in range(number):
        await connection.send(frame(PING, bytes(8)))
        kind = 0
        while kind not in (PING, GOAWAY):
            head = await asyncio.wait_for(connection.reader.readexactly(9), 20)
            kind, payload = head[3], await connection.reader.readexactly(int.from_bytes(head[:3], "big"))
        if kind == GOAWAY:
            break
        await asyncio.sleep(0.02)
    return kind, payload


@pytest.mark.parametrize(
    ("policy", "last", "said"),
    [
        (EnforcementPolicy(min_time="1m"), GOAWAY, b"too_many_pings"),
        (EnforcementPolicy(min_time="1ms", permit_without_stream=True), PING, b""),
    ],
    ids=["refused", "permitted"],
)
async def test_senders_that_ping_too_often_are_sent_away(policy: EnforcementPolicy, last: int, said: bytes) -> None:
    grpc_config = GrpcConfig("127.0.0.1:0", keepalive=KeepaliveConfig(enforcement_policy=policy))
    receiver = OtlpReceiver(Config(Protocols(grpc=grpc_config)), Settings("otlp", {}, {}))
    await receiver.start()

    try:
        kind, payload = await last_of_pings(receiver.endpoints["grpc"], 8)
    finally:
        await receiver.shutdown()

    assert kind == last
    assert said in payload
