"""Ports that several processes listen on together (SO_REUSEPORT): the kernel deals connections out to them."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace

from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.pipeline.component import Kind
from otel_carbon.pipeline.endpoint import Endpoint, parse_endpoint
from otel_carbon.pipeline.listening import cannot_listen, free_address

__all__ = ["ReservedPorts", "listening_addresses"]

_OVERRIDABLE = "otlp"


def listening_addresses(config: GatewayConfig) -> dict[tuple[str, str], Endpoint]:
    """Return what the receivers listen on, by receiver and protocol.

    Raises:
        ConfigError: a receiver wants any free port, and the processes could not agree on one.
    """
    found: dict[tuple[str, str], Endpoint] = {}
    for id_, receiver in config.components[Kind.RECEIVER].items():
        for protocol in ("grpc", "http"):
            settings = getattr(receiver.config.protocols, protocol, None)
            if settings is None:
                continue
            key = f"receivers::{id_}::protocols::{protocol}::endpoint"
            found[id_, protocol] = endpoint = parse_endpoint(settings.endpoint, key)
            if endpoint.port == 0 and id_ != _OVERRIDABLE:
                raise ConfigError(f"{key}: port 0 cannot be shared by workers; name a port")
    return found


class ReservedPorts:
    """Holds ports without listening on them, so that they stay ours while no worker is up.

    Raises:
        CarbonError: another program has one of them. Without this, one that shares ports as well would go unnoticed.
    """

    def __init__(self, wanted: Mapping[tuple[str, str], Endpoint]) -> None:
        self._sockets: list[socket.socket] = []
        self.addresses: dict[tuple[str, str], Endpoint] = {}
        """What the workers have to listen on: the same with port numbers."""
        for (id_, protocol), endpoint in wanted.items():
            try:
                self.addresses[id_, protocol] = self._reserve(endpoint)
            except OSError as error:
                self.close()
                key = f"receivers::{id_}: protocols::{protocol}::endpoint"
                raise CarbonError(str(cannot_listen(endpoint, key, error))) from error

    def overrides(self) -> Iterable[tuple[str, str]]:
        """Return the addresses that a worker has to be told: protocol and address of the receiver `otlp`."""
        return [(protocol, str(found)) for (id_, protocol), found in self.addresses.items() if id_ == _OVERRIDABLE]

    def close(self) -> None:
        """Give the ports free. Safe to call twice."""
        for each in self._sockets:
            each.close()
        self._sockets.clear()

    def _reserve(self, endpoint: Endpoint) -> Endpoint:
        family, kind, protocol, address = free_address(endpoint)
        held = socket.socket(family, kind, protocol)
        self._sockets.append(held)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
        return replace(endpoint, port=int(address[1]))
