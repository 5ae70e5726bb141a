"""Nothing listens beyond this machine without knowing who is at the other end, unless that is asked for."""

from __future__ import annotations

import ipaddress

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.endpoint import Endpoint

__all__ = ["check_exposure", "is_loopback"]


def is_loopback(endpoint: Endpoint) -> bool:
    """Tell whether only programs of this machine reach the endpoint. A name other than localhost may be anything."""
    host = endpoint.host.partition("%")[0]  # an IPv6 address may name its interface
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(endpoint: Endpoint, key: str, *, authenticates: bool, allow_unauthenticated: bool) -> None:
    """Refuse an address that others can reach and nobody guards. `key` is the path of the map that holds `endpoint`.

    Raises:
        ConfigError: it is such an address, and `allow_unauthenticated` is not set.
    """
    if authenticates or allow_unauthenticated or is_loopback(endpoint):
        return
    at = f"{key}::endpoint" if key else "endpoint"
    raise ConfigError(
        f"{at}: {endpoint} can be reached from other machines, and nothing asks who they are; set auth (bearer tokens) "
        "or tls::client_ca_file (mTLS), listen on 127.0.0.1, or set allow_unauthenticated: true where something "
        "in front of it asks"
    )
