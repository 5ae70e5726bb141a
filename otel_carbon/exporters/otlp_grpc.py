"""The `otlp_grpc` exporter: OTLP 1.11 over gRPC."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import grpc
import grpc.aio

from otel_carbon._version import __version__
from otel_carbon.errors import ConfigError
from otel_carbon.exporters._grpc_failure import grpc_failure
from otel_carbon.exporters._headers import check_headers, revealed
from otel_carbon.exporters._partial import PartialSuccessLog
from otel_carbon.exporters._queue_config import QueueConfig, queue_limit
from otel_carbon.exporters._sender import Sender
from otel_carbon.exporters._tls import client_context, read_pem
from otel_carbon.pipeline.component import Factory, JournalEntry, Kind, Settings, Stability
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.retry import RetryConfig
from otel_carbon.security.secret import Secret

__all__ = ["FACTORY", "Config", "KeepaliveConfig", "OtlpGrpcExporter", "TlsConfig", "keepalive_options"]

_METHODS: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
)
_COMPRESSIONS: Mapping[str, grpc.Compression] = MappingProxyType(
    {"gzip": grpc.Compression.Gzip, "none": grpc.Compression.NoCompression}
)
# host:port, or the names that gRPC has for other ways (https://grpc.github.io/grpc/core/md_doc_naming.html).
_TARGET = re.compile(r"(?:dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):\S+|(?:\[[^\s/]+\]|[^\s/:\[\]]+):\d{1,5}")
_METADATA_KEY = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP/2, "Custom-Metadata"
_MAX_PORT = 65535
_MAX_RESPONSE_BYTES = 4 << 20
_MAX_RECONNECT_WAIT_MS = 5000  # the library's own two minutes would outlast every wait of retry_on_failure
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Keys of `tls`, named as in the Collector's `configtls`. Files are PEM."""

    insecure: bool = False
    """True: no TLS. An endpoint that begins with http:// says the same."""
    ca_file: str | None = None
    """Certificate authorities to trust; None: those that come with gRPC."""
    cert_file: str | None = None
    key_file: str | None = None
    server_name_override: str | None = None
    insecure_skip_verify: bool = False
    min_version: Literal["1.2", "1.3"] = "1.2"

    def __post_init__(self) -> None:
        """Refuse what gRPC for Python cannot do."""
        if self.insecure_skip_verify:
            raise ConfigError(
                "tls::insecure_skip_verify: gRPC for Python always checks; give the server's certificate as ca_file "
                "and its name as server_name_override, or use otlp_http"
            )
        if self.min_version != "1.2":
            raise ConfigError(
                "tls::min_version: gRPC for Python cannot refuse 1.2; leave the key out, or use otlp_http"
            )


@dataclass(frozen=True, slots=True)
class KeepaliveConfig:
    """Keys and defaults of `keepalive`: pings that find a connection that is gone.

    Raises:
        ConfigError: a value is no duration longer than nothing.
    """

    time: str = "10s"
    """How long a connection may be silent before it is pinged."""
    timeout: str = "10s"
    """How long the answer may take."""
    permit_without_stream: bool = False
    """True: also while no request is under way."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name in ("time", "timeout"):
            if duration_s(getattr(self, name), f"keepalive::{name}") <= 0:
                raise ConfigError(f"keepalive::{name}: must be longer than 0s")


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the exporter, with the Collector's keys and defaults.

    Raises:
        ConfigError: a value cannot work.
    """

    endpoint: str
    headers: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    compression: str = "gzip"
    tls: TlsConfig = field(default_factory=TlsConfig)
    timeout: str = "5s"
    keepalive: KeepaliveConfig | None = None
    """None: no pings."""
    retry_on_failure: RetryConfig = field(default_factory=RetryConfig)
    sending_queue: QueueConfig = field(default_factory=QueueConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        target = _target(self.endpoint)
        port = target.rpartition(":")[2]
        if not _TARGET.fullmatch(target) or (port.isdecimal() and int(port) > _MAX_PORT):
            raise ConfigError(f"endpoint: name the host and port to send to, as tempo:4317, not {self.endpoint!r}")
        if self.compression == "zstd":
            raise ConfigError("compression: gRPC for Python has no zstd; write gzip or none, or use otlp_http")
        if self.compression not in _COMPRESSIONS:
            raise ConfigError(f"compression: {self.compression!r} is not one of {', '.join(_COMPRESSIONS)}")
        if duration_s(self.timeout, "timeout") <= 0:
            raise ConfigError("timeout must be longer than 0s")
        check_headers(self.headers)
        for name in self.headers:
            if not _METADATA_KEY.fullmatch(name.lower()):
                raise ConfigError(f"headers: {name!r} is not a header name")


class OtlpGrpcExporter:
    """Sends journal entries to one gRPC destination. The cursor that drives it waits by `retry`."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._credentials = _credentials(config)
        self._timeout_s = duration_s(config.timeout, "timeout")
        self._metadata = tuple((name.lower(), value) for name, value in revealed(config.headers).items())
        self._partial = PartialSuccessLog(settings)
        self._sender = Sender(config.sending_queue, self._send)
        self._channel: grpc.aio.Channel | None = None
        self.retry = config.retry_on_failure
        self.read_limits = self._sender.read_limits
        self.wait_s = self._sender.wait_s
        self.queue_limit = queue_limit(config.sending_queue)

    async def start(self) -> None:
        """Prepare the channel; it connects with the first request."""
        self._channel = _channel(self._config, self._credentials)

    async def shutdown(self) -> None:
        """Finish the request that is on its way, and close the channel."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(_GRACE_S)

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver the entries, all of one signal.

        Raises:
            RetryableExportError: one of the retryable codes of OTLP, or no connection.
            PermanentExportError: any other code.
        """
        await self._sender.deliver(entries)

    async def _send(self, signal: Signal, body: bytes) -> None:
        if self._channel is None:
            raise RuntimeError("export before start")
        call = self._channel.unary_unary(_METHODS[signal], None, None)  # bytes in, bytes out
        try:
            response = await call(
                body,
                timeout=self._timeout_s,
                metadata=self._metadata,
                compression=_COMPRESSIONS[self._config.compression],
            )
        except grpc.aio.AioRpcError as error:
            raise grpc_failure(error, self._config.endpoint) from error
        self._partial.note(signal, response)


def _target(endpoint: str) -> str:
    return re.sub(r"^https?://", "", endpoint.strip()).rstrip("/")


def _channel(config: Config, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    options: list[tuple[str, int | str]] = [
        ("grpc.primary_user_agent", f"otel-carbon/{__version__}"),
        ("grpc.max_receive_message_length", _MAX_RESPONSE_BYTES),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_WAIT_MS),
    ]
    if config.keepalive is not None:
        options += keepalive_options(config.keepalive)
    if credentials is None:
        return grpc.aio.insecure_channel(_target(config.endpoint), options=options)
    if config.tls.server_name_override is not None:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name_override))
    return grpc.aio.secure_channel(_target(config.endpoint), credentials, options=options)


def _credentials(config: Config) -> grpc.ChannelCredentials | None:
    """Return what TLS needs, None for plain text. Raises ConfigError for a file that cannot be used."""
    tls = config.tls
    if config.endpoint.startswith("http://") or (tls.insecure and not config.endpoint.startswith("https://")):
        return None
    if any((tls.ca_file, tls.cert_file, tls.key_file)):
        # gRPC says nothing of files that it cannot use: every connection would fail, and nobody knew why.
        client_context(
            ca_file=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
            skip_verify=False,
            min_version=tls.min_version,
        )
    return grpc.ssl_channel_credentials(
        root_certificates=read_pem(tls.ca_file, "tls::ca_file"),
        private_key=read_pem(tls.key_file, "tls::key_file"),
        certificate_chain=read_pem(tls.cert_file, "tls::cert_file"),
    )


def keepalive_options(config: KeepaliveConfig) -> list[tuple[str, int | str]]:
    """Return the settings as a gRPC channel takes them."""
    return [
        ("grpc.keepalive_time_ms", round(1000 * duration_s(config.time, "keepalive::time"))),
        ("grpc.keepalive_timeout_ms", round(1000 * duration_s(config.timeout, "keepalive::timeout"))),
        ("grpc.keepalive_permit_without_calls", int(config.permit_without_stream)),
    ]


FACTORY = Factory(
    type="otlp_grpc",
    kind=Kind.EXPORTER,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=OtlpGrpcExporter,
    aliases=("otlp",),
)
