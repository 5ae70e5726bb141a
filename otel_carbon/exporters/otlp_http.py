"""The `otlp_http` exporter: OTLP 1.11 over HTTP, protobuf encoding."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import aiohttp
import zstandard
from aiohttp import hdrs

from otel_carbon._version import __version__
from otel_carbon.errors import ConfigError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._headers import check_headers, revealed
from otel_carbon.exporters._http_failure import clock_of, http_failure
from otel_carbon.exporters._partial import PartialSuccessLog
from otel_carbon.exporters._queue_config import QueueConfig, queue_limit
from otel_carbon.exporters._sender import Sender
from otel_carbon.exporters._tls import client_context
from otel_carbon.pipeline.component import Factory, JournalEntry, Kind, Settings, Stability
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.endpoint import is_http_url
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.retry import RetryConfig
from otel_carbon.security.secret import Secret, without_password

__all__ = ["FACTORY", "Config", "OtlpHttpExporter", "TlsConfig"]

_MAX_RESPONSE_BYTES = 4 << 20
_GZIP_LEVEL = 6  # zlib's own default; the module's 9 takes twice the time for one per cent


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


_COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({"gzip": _gzip, "zstd": _zstd})


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Keys of `tls`, named as in the Collector's `configtls`. Files are PEM. They matter to https endpoints."""

    insecure: bool = False
    """The scheme of the endpoint decides; True beside https is an error."""
    insecure_skip_verify: bool = False
    """True: the server's certificate is not checked."""
    ca_file: str | None = None
    """Certificate authorities to trust; None: those of the system."""
    cert_file: str | None = None
    key_file: str | None = None
    server_name_override: str | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the exporter, with the Collector's keys and defaults.

    Raises:
        ConfigError: a value cannot work.
    """

    endpoint: str | None = None
    """Base URL; `/v1/traces`, `/v1/metrics` and `/v1/logs` are added."""
    traces_endpoint: str | None = None
    metrics_endpoint: str | None = None
    logs_endpoint: str | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    compression: str = "gzip"
    tls: TlsConfig = field(default_factory=TlsConfig)
    timeout: str = "30s"
    idle_conn_timeout: str = "90s"
    max_conns_per_host: int = 0
    """0 is no limit."""
    disable_keep_alives: bool = False
    retry_on_failure: RetryConfig = field(default_factory=RetryConfig)
    sending_queue: QueueConfig = field(default_factory=QueueConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not _urls(self):
            raise ConfigError("endpoint: name the URL to send to, as http://tempo:4318")
        for key in ("endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint"):
            url = getattr(self, key)
            if url and not is_http_url(url):
                shown = without_password(url)
                raise ConfigError(f"{key}: {shown!r} is not a URL; write http://host:port or https://host:port")
        if self.compression not in {"none", *_COMPRESSORS}:
            raise ConfigError(f"compression: {self.compression!r} is not one of none, {', '.join(_COMPRESSORS)}")
        if duration_s(self.timeout, "timeout") <= 0:
            raise ConfigError("timeout must be longer than 0s")
        _check_connections(self)
        check_headers(self.headers)


class OtlpHttpExporter:
    """Sends journal entries to one HTTP destination. The cursor that drives it waits by `retry`."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._context = _context(config.tls)
        self._urls = _urls(config)
        self._partial = PartialSuccessLog(settings)
        self._sender = Sender(config.sending_queue, self._send)
        self._session: aiohttp.ClientSession | None = None
        self.retry = config.retry_on_failure
        self.read_limits = self._sender.read_limits
        self.wait_s = self._sender.wait_s
        self.queue_limit = queue_limit(config.sending_queue)

    async def start(self) -> None:
        """Prepare the connections; they are made with the first request."""
        self._session = aiohttp.ClientSession(
            connector=_connector(self._config, self._context),
            headers=_headers(self._config),
            timeout=aiohttp.ClientTimeout(total=duration_s(self._config.timeout, "timeout")),
            trust_env=True,  # HTTPS_PROXY and its kin, as every exporter honours them
        )

    async def shutdown(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver the entries, all of one signal.

        Raises:
            RetryableExportError: 429, 502, 503, 504, or no answer at all.
            PermanentExportError: any other answer but success.
        """
        await self._sender.deliver(entries)

    async def _send(self, signal: Signal, body: bytes) -> None:
        url = self._urls.get(signal)
        if url is None:
            raise PermanentExportError(f"there is no URL for {signal}; set endpoint or {signal}_endpoint")
        compress = _COMPRESSORS.get(self._config.compression)
        data = body if compress is None else await asyncio.to_thread(compress, body)
        try:
            self._partial.note(signal, await self._post(url, data))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RetryableExportError(f"{without_password(url)}: {_trouble(error)}") from error

    async def _post(self, url: str, data: bytes) -> bytes:
        if self._session is None:
            raise RuntimeError("export before start")
        server_name = self._config.tls.server_name_override
        # A file is written piece by piece, so that a large body does not hold up the loop. A redirect would turn the
        # POST into a GET and lose the data, so it is an answer like any other.
        async with self._session.post(
            url, data=io.BytesIO(data), server_hostname=server_name, allow_redirects=False
        ) as response:
            answer = await _bounded_body(response)
            if 200 <= response.status < 300:
                return answer
            now_unix_s = clock_of(response.headers.get(hdrs.DATE), time.time())
            retry_after = response.headers.get(hdrs.RETRY_AFTER)
            raise http_failure(without_password(url), response.status, retry_after, answer, now_unix_s)


def _trouble(error: Exception) -> str:
    """Return what went wrong, as a person reads it; aiohttp says `ssl:default` of plain HTTP, too."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        number = error.os_error.errno
        reason = os.strerror(number) if number and number > 0 else error.os_error.strerror or str(error.os_error)
        return f"Cannot connect to {error.host}:{error.port}: {reason}"
    return str(error) or type(error).__name__


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MAX_RESPONSE_BYTES:
            raise PermanentExportError(
                f"{response.url.with_user(None)} answered with more than {_MAX_RESPONSE_BYTES} bytes"
            )
    return bytes(body)


def _check_connections(config: Config) -> None:
    if config.tls.insecure and any(url.startswith("https:") for url in _urls(config).values()):
        raise ConfigError("tls::insecure: cannot be true with an https endpoint; write http:// for no TLS")
    if duration_s(config.idle_conn_timeout, "idle_conn_timeout") <= 0:
        raise ConfigError("idle_conn_timeout: must be longer than 0s; disable_keep_alives closes every connection")
    if config.max_conns_per_host < 0:
        raise ConfigError("max_conns_per_host: must not be negative; 0 is no limit")


def _connector(config: Config, context: ssl.SSLContext) -> aiohttp.TCPConnector:
    limit = config.max_conns_per_host
    if config.disable_keep_alives:
        return aiohttp.TCPConnector(ssl=context, limit_per_host=limit, force_close=True)
    keep_s = duration_s(config.idle_conn_timeout, "idle_conn_timeout")
    return aiohttp.TCPConnector(ssl=context, limit_per_host=limit, keepalive_timeout=keep_s)


def _context(tls: TlsConfig) -> ssl.SSLContext:
    return client_context(
        ca_file=tls.ca_file,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        skip_verify=tls.insecure_skip_verify,
        min_version=tls.min_version,
    )


def _urls(config: Config) -> dict[Signal, str]:
    given = {
        Signal.TRACES: config.traces_endpoint,
        Signal.METRICS: config.metrics_endpoint,
        Signal.LOGS: config.logs_endpoint,
    }
    base = config.endpoint.rstrip("/") if config.endpoint else None
    return {signal: url or f"{base}/v1/{signal}" for signal, url in given.items() if url or base}


def _headers(config: Config) -> dict[str, str]:
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: "application/x-protobuf",
        hdrs.USER_AGENT: f"otel-carbon/{__version__}",
    }
    if config.compression != "none":
        headers[hdrs.CONTENT_ENCODING] = config.compression
    return {**headers, **revealed(config.headers)}


FACTORY = Factory(
    type="otlp_http",
    kind=Kind.EXPORTER,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=OtlpHttpExporter,
    aliases=("otlphttp",),
)
