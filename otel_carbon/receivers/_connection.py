"""How long an HTTP connection may take: a protocol between the transport and aiohttp that keeps the time.

aiohttp knows one timeout for connections without a request. Here a sender has one time for the headers of a request,
from their first byte (or from connecting) to their last, and another one between two requests. Both are those of Go's
`net/http`, and so of the Collector.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ssl import SSLContext

from aiohttp import web
from aiohttp.typedefs import Middleware

from otel_carbon.pipeline.endpoint import Endpoint
from otel_carbon.receivers._early_answer import answer_early

__all__ = ["TimedConnection", "TimedSite", "Timeouts", "keeps_time"]

_BACKLOG = 128  # no more: without files left, asyncio reports an error for each of them, once a second
_TURNS = 10  # of the event loop: more than aiohttp takes from the last byte of a request's headers to its handler


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What a connection may take, in s."""

    header_s: float
    idle_s: float


class TimedConnection(asyncio.Protocol):
    """Passes everything on to the protocol of aiohttp and ends connections on which nothing comes of it."""

    def __init__(self, inner: asyncio.Protocol, timeouts: Timeouts) -> None:
        self._inner = inner
        self._timeouts = timeouts
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._request: web.BaseRequest | None = None
        self._in_header = True
        self.half_closed = False
        """Whether the sender has said that nothing more comes; it may still read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wait(self._timeouts.header_s)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes; outside of a request they are the beginning of the next one."""
        if self._request is None and not self._in_header:
            self._in_header = True
            self._wait(self._timeouts.header_s)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Keep a connection open for the answer, as Go does. TLS cannot be half closed."""
        transport = self._transport
        if transport is None or transport.get_extra_info("ssl_object") is not None:
            return self._inner.eof_received()
        self.half_closed = True
        if self._request is None:
            self._close_unless_begun(_TURNS)  # a request that has come in whole may not have begun yet
            return True
        _end_body(self._request)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._transport = None
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def begin(self, request: web.BaseRequest) -> None:
        """Stop the clock: the headers of a request are complete."""
        self._stop_waiting()
        self._request = request
        if self.half_closed:
            _end_body(request)

    def end(self) -> None:
        """Begin to wait for the next request."""
        self._request = None
        self._in_header = False
        self._wait(self._timeouts.idle_s)

    def _close_unless_begun(self, turns: int) -> None:
        if self._request is not None or self._transport is None:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._close_unless_begun, turns - 1)
        else:
            self._transport.close()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        if self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():  # a sender that does not read will not let it be closed in order
            self._transport.abort()
        else:
            self._transport.close()


def _end_body(request: web.BaseRequest) -> None:
    """Let nobody wait for the rest of a body that will never come."""
    if not request.content.is_eof():
        request.content.set_exception(ConnectionResetError("the sender has closed its side"))


class TimedSite(web.BaseSite):
    """Listens on one endpoint, as aiohttp's `TCPSite`, for connections that are timed."""

    def __init__(
        self,
        runner: web.AppRunner,
        endpoint: Endpoint,
        timeouts: Timeouts,
        ssl_context: SSLContext | None,
        *,
        shares_port: bool = False,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=_BACKLOG)
        self._shares_port = shares_port
        self._endpoint = endpoint
        self._timeouts = timeouts

    @property
    def name(self) -> str:
        """Return the address."""
        return f"{'http' if self._ssl_context is None else 'https'}://{self._endpoint}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._connection,
            self._endpoint.host,
            self._endpoint.port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            reuse_port=self._shares_port or None,
        )

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        return TimedConnection(server(), self._timeouts)


@web.middleware
async def _keeps_time(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    transport = request.transport
    connection = None if transport is None else transport.get_protocol()
    if not isinstance(connection, TimedConnection):
        return await handler(request)
    connection.begin(request)
    try:
        response = await handler(request)
        if connection.half_closed:
            response.force_close()
        if not request.content.is_eof():
            await answer_early(request, response)
        return response
    finally:
        connection.end()


keeps_time: Middleware = _keeps_time
"""The outermost middleware: tells the connection when a request begins and ends."""
