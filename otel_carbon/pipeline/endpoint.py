"""Addresses to listen on, as the Collector writes them: `127.0.0.1:4317`, `[::1]:4317`, `:4317`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from otel_carbon.errors import ConfigError

__all__ = ["Endpoint", "is_http_url", "parse_endpoint"]

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port to listen on. Port 0 lets the system choose a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, key: str) -> Endpoint:
    """Return the endpoint that `host:port` names; without a host, every address of the machine.

    Raises:
        ConfigError: the text is no such address; the message names `key`.
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT or (":" in host and not bracketed) or "/" in host:
        raise ConfigError(f"{key}: {text!r} is not an address to listen on; write host:port, as 127.0.0.1:4317")
    return Endpoint(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104  `:4317` asks for it, as in the Collector


def is_http_url(text: str) -> bool:
    """Tell whether a request can be sent to this URL."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that no port can be
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not any(map(str.isspace, text))
