"""OTLP over HTTP: one POST route per signal, protobuf and JSON by Content-Type."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ssl import SSLContext

import aiohttp
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from otel_carbon.errors import ConfigError, InvalidDataError
from otel_carbon.pipeline import otlp_json
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.endpoint import parse_endpoint
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.receivers._answer import MAX_RESPONSE_BYTES, answer_json, answer_protobuf
from otel_carbon.receivers._connection import TimedSite, Timeouts, keeps_time
from otel_carbon.receivers._cors import CorsConfig, cors
from otel_carbon.receivers._decompress import CONTENT_ENCODINGS, decompress, too_large
from otel_carbon.receivers._http_status import errors_as_status
from otel_carbon.receivers._intake import Intake, no_pipeline
from otel_carbon.receivers._off_loop import off_loop
from otel_carbon.receivers._sender import known_sender, tenant_of
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.guard import Guard, check_listener
from otel_carbon.security.tokens import AuthConfig
from otel_carbon.security.web import listen

__all__ = ["HttpConfig", "HttpServer"]

_PATH = "protocols::http"
_KEY = f"{_PATH}::endpoint"
_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_GRACE_S = 10.0
_NEVER_S = 1e9
_URL_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")  # RFC 3986; braces would be a pattern to aiohttp

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Keys of `protocols::http`, named as in the Collector's `confighttp` and `otlp` receiver.

    Raises:
        ConfigError: a value cannot work.
    """

    endpoint: str = "127.0.0.1:4318"
    max_request_body_size: int = 64 << 20
    """Limit of one request in bytes, before and after decompression."""
    max_response_body_size: int = MAX_RESPONSE_BYTES
    """Limit of one answer in bytes; a message that is too long for it is cut."""
    read_timeout: str = "30s"
    """How long a sender may take to send one body."""
    read_header_timeout: str = "1m"
    """How long a sender may take to send the headers of one request."""
    idle_timeout: str = "1m"
    """How long a connection may wait for its next request."""
    traces_url_path: str = "/v1/traces"
    metrics_url_path: str = "/v1/metrics"
    logs_url_path: str = "/v1/logs"
    cors: CorsConfig | None = None
    """Which pages in a browser may send; left out, none."""
    tls: ServerTlsConfig | None = None
    """Certificates; left out, plain text."""
    auth: AuthConfig | None = None
    """Tokens of senders; left out, nobody is asked for one."""
    allow_unauthenticated: bool = False
    """Whether an address that others can reach may be listened on without tokens or client certificates."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_listener(self, _PATH)
        for key in ("max_request_body_size", "max_response_body_size"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{_PATH}::{key} must be at least 1 byte")
        for key in ("read_timeout", "read_header_timeout", "idle_timeout"):
            if duration_s(getattr(self, key), f"{_PATH}::{key}") <= 0:
                raise ConfigError(f"{_PATH}::{key} must be longer than 0s")
        paths = (self.traces_url_path, self.metrics_url_path, self.logs_url_path)
        if len(set(paths)) < len(paths):
            raise ConfigError(f"{_PATH}: traces_url_path, metrics_url_path and logs_url_path must differ")
        for key, path in zip(("traces", "metrics", "logs"), paths, strict=True):
            if not _URL_PATH.fullmatch(path):
                raise ConfigError(f"{_PATH}::{key}_url_path: {path!r} is not a path; write one as /v1/{key}")


class HttpServer:
    """Serves one endpoint. Signals without a pipeline are answered 404, as by the Collector."""

    def __init__(self, config: HttpConfig, intake: Intake, *, shares_port: bool = False) -> None:
        self._config = config
        self._shares_port = shares_port
        self._intake = intake
        self._guard = Guard(config, _PATH)
        self._read_timeout_s = duration_s(config.read_timeout, f"{_PATH}::read_timeout")
        self._timeouts = Timeouts(
            header_s=duration_s(config.read_header_timeout, f"{_PATH}::read_header_timeout"),
            idle_s=duration_s(config.idle_timeout, f"{_PATH}::idle_timeout"),
        )
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, and return the bound URL. Raises ConfigError for the address, or a file of TLS or tokens."""
        self._guard.load()
        endpoint = parse_endpoint(self._config.endpoint, _KEY)
        runner = web.AppRunner(
            self._app(),
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=_GRACE_S,
            keepalive_timeout=_NEVER_S,  # TimedSite keeps the time
            lingering_time=0,  # `answer_early` does it
        )

        def site(context: SSLContext | None) -> web.BaseSite:
            return TimedSite(runner, endpoint, self._timeouts, context, shares_port=self._shares_port)

        url = await listen(runner, endpoint, self._guard, _KEY, site)
        self._runner = runner
        return url

    def reload_files(self) -> None:
        """Read certificates and tokens again."""
        self._guard.reload()

    async def shutdown(self) -> None:
        """Refuse new requests and finish those that were begun."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=self._middlewares())
        paths = {
            Signal.TRACES: self._config.traces_url_path,
            Signal.METRICS: self._config.metrics_url_path,
            Signal.LOGS: self._config.logs_url_path,
        }
        for signal in Signal:
            app.router.add_post(paths[signal], self._export(signal), expect_handler=_no_answer_yet)
        return app

    def _middlewares(self) -> list[Middleware]:
        allowed = self._config.cors
        outer = [cors(allowed)] if allowed and allowed.allowed_origins else []
        inner = [known_sender(self._guard.tokens)] if self._guard.tokens is not None else []
        return [keeps_time, *outer, errors_as_status(self._intake), *inner]

    def _export(self, signal: Signal) -> _Handler:
        async def export(request: web.Request) -> web.StreamResponse:
            if not self._intake.takes(signal):
                raise web.HTTPNotFound(reason=no_pipeline(signal))
            _check_headers(request)
            self._intake.check_room()  # before the body is read
            body = await self._content(request)
            tenant, limit_bytes = tenant_of(request, self._guard.tokens), self._config.max_response_body_size
            is_json, warning = request.content_type == _JSON, ""
            if is_json:
                body, warning = await off_loop(len(body), otlp_json.decode_with_warning, signal, body)
            with self._intake.called_with(request.headers.get):
                partial = await self._intake.take(signal, body, tenant, warning)
            if is_json:
                return web.Response(body=answer_json(signal, partial, limit_bytes), content_type=_JSON)
            return web.Response(body=answer_protobuf(signal, partial, limit_bytes), content_type=_PROTOBUF)

        return export

    async def _content(self, request: web.Request) -> bytes:
        limit_bytes = self._config.max_request_body_size
        try:
            async with asyncio.timeout(self._read_timeout_s):
                body = await _read(request, limit_bytes)
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        except (ConnectionError, aiohttp.ClientPayloadError, web.RequestPayloadError) as error:
            raise InvalidDataError("the body ends before its end") from error
        return await off_loop(len(body), decompress, body, _content_encoding(request), limit_bytes)


def _check_headers(request: web.Request) -> None:
    if request.content_type not in {_PROTOBUF, _JSON}:
        raise web.HTTPUnsupportedMediaType(reason=f"Content-Type must be {_PROTOBUF} or {_JSON}")
    if _content_encoding(request) not in CONTENT_ENCODINGS:
        supported = ", ".join(sorted(filter(None, CONTENT_ENCODINGS)))
        raise web.HTTPUnsupportedMediaType(reason=f"Content-Encoding must be one of {supported}")


def _content_encoding(request: web.Request) -> str:
    return request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()


async def _no_answer_yet(_request: web.Request) -> None:
    """Leave a sender that waits for `100 Continue` waiting, until it is known that its body is wanted."""


async def _ask_for_body(request: web.Request) -> None:
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # not part of the answer


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    if (request.content_length or 0) > limit_bytes:
        raise too_large(limit_bytes)
    await _ask_for_body(request)
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
    return bytes(body)
