"""How an HTTP request ends that is answered before its body has come: refused, or too slow.

To close a connection on which bytes still arrive resets it, and the reset can take the answer away before the sender
has read it (RFC 9112, 9.6). So what still comes is read and dropped for a while, as nginx does. A small rest is waited
for and the connection kept, as by Go's `net/http`; before a larger one the sender is told to stop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
from aiohttp import hdrs, web

__all__ = ["answer_early"]

_SMALL_BYTES = 256 << 10  # what Go's server reads to keep a connection
_SILENT_S = 2.0
_LONGEST_S = 10.0


async def answer_early(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send the answer, and wait for the rest of the body. A sender that closes its side is not waited for."""
    if not _is_worth_keeping(request):
        response.force_close()
    with suppress(OSError, aiohttp.ClientPayloadError, web.RequestPayloadError):  # the sender is gone
        await response.prepare(request)
        await response.write_eof()
        if not response.keep_alive:
            _close_our_side(request.transport)
        await _drop(request.content)


def _is_worth_keeping(request: web.BaseRequest) -> bool:
    """Return whether little is left; one who waits for `100 Continue` may send another request instead of a body."""
    length = request.content_length
    return length is not None and length <= _SMALL_BYTES and hdrs.EXPECT not in request.headers


def _close_our_side(transport: asyncio.Transport | None) -> None:
    if transport is not None and transport.can_write_eof():  # not over TLS
        transport.write_eof()


async def _drop(content: aiohttp.StreamReader) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_S):
            while not content.is_eof():
                async with asyncio.timeout(_SILENT_S):
                    await content.readany()
