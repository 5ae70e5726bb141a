"""Why an address cannot be listened on, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, NamedTuple

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.endpoint import Endpoint

__all__ = ["SocketAddress", "cannot_listen", "free_address"]

_FIXES = {
    errno.EADDRINUSE: "stop the program that has this port, or set another one (port 0 takes any free one)",
    errno.EADDRNOTAVAIL: "set an address that this machine has, as 127.0.0.1, or 0.0.0.0 for all of them",
    errno.EACCES: "a port below 1024 asks for the right CAP_NET_BIND_SERVICE; grant it, or set a port from 1024",
}
_UNKNOWN_HOST = "set an address of this machine, as 127.0.0.1, or a name that the name service knows"
_ANOTHER = "set another address"


class SocketAddress(NamedTuple):
    """What `socket.socket` is made of, and what it is bound to: of IPv4 a pair, of IPv6 four values."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    protocol: int
    address: tuple[Any, ...]


def cannot_listen(endpoint: Endpoint, key: str, error: Exception) -> ConfigError:
    """Return the error for an address that cannot be had. Where `error` does not say why, the address is tried."""
    found = error if _says_why(error) else _refusal(endpoint) or error
    return ConfigError(f"{key}: cannot listen on {endpoint}: {_reason(found)}; {_fix(found)}")


def free_address(endpoint: Endpoint) -> SocketAddress:
    """Return an address that nobody listens on, whatever they share, as `socket` takes it. Port 0 becomes a port.

    Raises:
        OSError: it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except UnicodeError as error:  # of a host that cannot be a name
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
        return SocketAddress(family, kind, protocol, probe.getsockname())


def _says_why(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) or getattr(error, "errno", None) in _FIXES


def _refusal(endpoint: Endpoint) -> OSError | None:
    """Return what the system says against the address; None when it would give it."""
    try:
        free_address(endpoint)
    except OSError as error:
        return error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host is not known ({error.strerror})"
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)


def _fix(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return _UNKNOWN_HOST
    return _FIXES.get(getattr(error, "errno", None) or 0, _ANOTHER)
