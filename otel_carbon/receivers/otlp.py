"""The `otlp` receiver: OTLP 1.11 over gRPC and over HTTP, protobuf and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.component import Factory, Kind, Settings, Stability
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.receivers._grpc import GrpcConfig, GrpcServer
from otel_carbon.receivers._http import HttpConfig, HttpServer
from otel_carbon.receivers._intake import Intake

__all__ = ["FACTORY", "Config", "GrpcConfig", "HttpConfig", "OtlpReceiver", "Protocols"]


@dataclass(frozen=True, slots=True)
class Protocols:
    """The transports to serve; a transport that is left out is off."""

    grpc: GrpcConfig | None = None
    http: HttpConfig | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the receiver.

    Raises:
        ConfigError: no transport is named.
    """

    protocols: Protocols = field(default_factory=Protocols)

    def __post_init__(self) -> None:
        """Refuse a receiver that would receive nothing."""
        if self.protocols.grpc is None and self.protocols.http is None:
            raise ConfigError("protocols: name at least one of grpc and http; `grpc: {}` takes the defaults")


class OtlpReceiver:
    """Takes OTLP in and answers when the request is on disk."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._servers: dict[str, GrpcServer | HttpServer] = {}
        shares_port = bool(settings.shared.get("shares_ports", False))
        if config.protocols.grpc is not None:
            intake = Intake(settings, "grpc")
            self._servers["grpc"] = GrpcServer(config.protocols.grpc, intake, shares_port=shares_port)
        if config.protocols.http is not None:
            intake = Intake(settings, "http")
            self._servers["http"] = HttpServer(config.protocols.http, intake, shares_port=shares_port)
        self._endpoints: dict[str, str] = {}

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Return the bound addresses: `grpc` as host:port, `http` as http://host:port. Empty before start."""
        return MappingProxyType(self._endpoints)

    async def start(self) -> None:
        """Listen on every endpoint, or on none: raises ConfigError when one cannot be had."""
        try:
            for protocol, server in self._servers.items():
                self._endpoints[protocol] = await server.start()
        except ConfigError:
            await self.shutdown()
            raise

    def reload_files(self) -> None:
        """Read certificates and tokens again; files that cannot be used leave the earlier ones in force."""
        for server in self._servers.values():
            server.reload_files()

    async def shutdown(self) -> None:
        """Refuse new requests and finish those that were begun."""
        for server in self._servers.values():
            await server.shutdown()


FACTORY = Factory(
    type="otlp",
    kind=Kind.RECEIVER,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=OtlpReceiver,
)
