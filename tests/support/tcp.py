"""Bare TCP connections that are really closed in the end, so that no test leaves its own behind for another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext
from typing import Any

import aiohttp

__all__ = ["close", "connected", "http_client", "listening"]

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(
    address: str, ssl: SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection to `host:port`."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=ssl)
    try:
        yield reader, writer
    finally:
        await close(writer)


@asynccontextmanager
async def listening(handle: Handle) -> AsyncIterator[str]:
    """Let `handle` answer connections to the yielded `host:port`; those still open in the end are cut off."""
    handlers: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await handle(reader, writer)
        except asyncio.CancelledError:
            pass  # the server has no use for it and would only log it
        finally:
            await close(writer)
            handlers.discard(task)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with listener:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        open_still = list(handlers)
        for task in open_still:
            task.cancel()
        await asyncio.gather(*open_still)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection and wait until it is."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def http_client(base_url: str | None = None, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session whose connections are closed in the end, also one on which a body was refused half-way.

    aiohttp lets such a connection go on sending, and the event loop ends before it has.
    """
    opened: list[socket.socket] = []

    def new(address: aiohttp.AddrInfoType) -> socket.socket:
        opened.append(socket.socket(*address[:3]))
        return opened[-1]

    connector = aiohttp.TCPConnector(socket_factory=new)
    async with aiohttp.ClientSession(base_url, connector=connector, **options) as session:
        yield session
    for each in opened:
        with suppress(OSError):  # it is closed already
            each.shutdown(socket.SHUT_RDWR)
    while any(each.fileno() != -1 for each in opened):  # noqa: ASYNC110  nothing tells when they are
        await asyncio.sleep(0.01)
