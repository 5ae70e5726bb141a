"""HTTP requests that are answered before their body has come: the answer arrives, and nothing is kept for long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from tcp import connected

from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers import _early_answer
from otel_carbon.receivers.otlp import Config, HttpConfig, OtlpReceiver, Protocols
from otel_carbon.security.certificates import ServerTlsConfig

_LIMIT_BYTES = 1 << 20
_LARGE_BYTES = 16 << 20  # more than sockets hold
_NEVER_S = 3600.0
_PATIENCE_S = 20.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def head(length: int, *headers: str) -> bytes:
    lines = ("POST /v1/traces HTTP/1.1", "Host: gateway", "Content-Type: application/x-protobuf", *headers)
    return "\r\n".join((*lines, f"Content-Length: {length}", "", "")).encode()


@asynccontextmanager
async def refusing(reason: list[str], **keys: Any) -> AsyncIterator[str]:
    """Run a receiver that has no room as long as there is a reason, and yield its address."""

    async def take(payload: Payload) -> None:
        del payload

    http = HttpConfig("127.0.0.1:0", max_request_body_size=_LIMIT_BYTES, idle_timeout="1h", **keys)
    shared = {"no_room": lambda: reason[0] if reason else None}
    receiver = OtlpReceiver(Config(Protocols(http=http)), Settings("otlp", dict.fromkeys(Signal, take), shared))
    await receiver.start()
    try:
        yield receiver.endpoints["http"].partition("://")[2]
    finally:
        await receiver.shutdown()


def waits(monkeypatch: pytest.MonkeyPatch, *, silent_s: float = _NEVER_S, longest_s: float = _NEVER_S) -> None:
    monkeypatch.setattr(_early_answer, "_SILENT_S", silent_s)
    monkeypatch.setattr(_early_answer, "_LONGEST_S", longest_s)


async def answer(streams: Streams) -> str:
    """Return the head of an answer, and read its body."""
    text = (await asyncio.wait_for(streams[0].readuntil(b"\r\n\r\n"), _PATIENCE_S)).decode()
    await streams[0].readexactly(int(text.partition("Content-Length: ")[2].partition("\r\n")[0]))
    return text


async def nothing_is_left_but(tasks: set[asyncio.Task[Any]]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while asyncio.all_tasks() - tasks:  # noqa: ASYNC110  nothing tells when they end
            await asyncio.sleep(0.01)


async def _closes(streams: Streams) -> None:
    streams[1].close()


async def _closes_its_side(streams: Streams) -> None:
    streams[1].write_eof()


async def _resets(streams: Streams) -> None:
    streams[1].transport.abort()


@pytest.mark.parametrize("leaves", [_closes, _closes_its_side, _resets])
@pytest.mark.parametrize("sent", [head(100), head(_LIMIT_BYTES), head(100, "Expect: 100-continue")])
async def test_a_sender_that_leaves_after_a_refusal_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, leaves: Callable[[Streams], Awaitable[None]]
) -> None:
    waits(monkeypatch)
    async with refusing(["full"]) as address, connected(address) as streams:
        before = asyncio.all_tasks()
        streams[1].write(sent)
        assert (await answer(streams)).startswith("HTTP/1.1 503 ")

        await leaves(streams)

        await nothing_is_left_but(before)


async def test_a_sender_that_only_closes_its_side_in_a_refused_body_gets_the_answer() -> None:
    async with refusing(["full"]) as address, connected(address) as streams:
        streams[1].write(head(_LIMIT_BYTES) + b"the beginning")
        streams[1].write_eof()
        assert (await answer(streams)).startswith("HTTP/1.1 503 ")
        assert await asyncio.wait_for(streams[0].read(), _PATIENCE_S) == b""


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_sender_that_reads_only_after_its_whole_body_gets_the_answer(*, tmp_path: Path, over_tls: bool) -> None:
    tls, trusting = None, None
    if over_tls:
        pair = Authority(tmp_path).issue("gateway")
        tls = ServerTlsConfig(cert_file=pair.cert_file, key_file=pair.key_file)
        trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with refusing([], tls=tls) as address, connected(address, trusting) as streams:
        streams[1].write(head(_LARGE_BYTES))
        for _ in range(_LARGE_BYTES >> 20):
            streams[1].write(bytes(1 << 20))
            await streams[1].drain()

        found = await answer(streams)

        assert found.startswith("HTTP/1.1 413 ")
        assert "Connection: close" in found
        assert await asyncio.wait_for(streams[0].read(), _PATIENCE_S) == b""


async def test_a_small_body_that_was_refused_does_not_cost_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    waits(monkeypatch)
    reason = ["full"]
    async with refusing(reason) as address, connected(address) as streams:
        streams[1].write(head(100))
        assert (await answer(streams)).startswith("HTTP/1.1 503 ")
        reason.clear()
        streams[1].write(bytes(100) + head(0))
        assert (await answer(streams)).startswith("HTTP/1.1 200 ")


async def test_a_sender_that_waits_for_100_continue_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a body comes after the refusal is not known, so the next bytes could not be understood."""
    waits(monkeypatch)
    async with refusing(["full"]) as address, connected(address) as streams:
        streams[1].write(head(100, "Expect: 100-continue"))
        assert "Connection: close" in await answer(streams)
        assert await asyncio.wait_for(streams[0].read(), _PATIENCE_S) == b""


async def test_a_sender_that_is_silent_after_a_refusal_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    waits(monkeypatch, silent_s=0.05)
    async with refusing(["full"]) as address, connected(address) as streams:
        streams[1].write(head(100))
        assert (await answer(streams)).startswith("HTTP/1.1 503 ")
        assert await asyncio.wait_for(streams[0].read(), _PATIENCE_S) == b""


async def test_a_sender_that_trickles_after_a_refusal_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    waits(monkeypatch, longest_s=0.2)
    async with refusing(["full"]) as address, connected(address) as streams:
        before = asyncio.all_tasks()
        streams[1].write(head(_LIMIT_BYTES))
        assert (await answer(streams)).startswith("HTTP/1.1 503 ")
        async with asyncio.timeout(_PATIENCE_S):
            while asyncio.all_tasks() - before:
                streams[1].write(b"x")
                await asyncio.sleep(0.01)


async def test_a_connection_that_its_sender_leaves_idle_is_closed() -> None:
    async with refusing([], read_header_timeout="1h") as address, connected(address) as streams:
        for _ in range(2):
            streams[1].write(head(0))
            assert (await answer(streams)).startswith("HTTP/1.1 200 ")
        streams[1].write_eof()
        assert await asyncio.wait_for(streams[0].read(), _PATIENCE_S) == b""
