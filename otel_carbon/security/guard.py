"""Everything that stands between an address and whoever reaches it."""

from __future__ import annotations

import logging
from typing import Protocol

from otel_carbon.pipeline.endpoint import parse_endpoint
from otel_carbon.security.certificates import Certificates, ServerTlsConfig
from otel_carbon.security.exposure import check_exposure, is_loopback
from otel_carbon.security.tokens import AuthConfig, Tokens

__all__ = ["Guard", "Listener", "check_listener"]

_LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """The keys that every address has, whatever is served there."""

    @property
    def endpoint(self) -> str | None:
        """Return the `host:port`; None is off."""
        ...

    @property
    def tls(self) -> ServerTlsConfig | None:
        """Return the TLS settings; None is plain text."""
        ...

    @property
    def auth(self) -> AuthConfig | None:
        """Return the tokens; None asks for none."""
        ...

    @property
    def allow_unauthenticated(self) -> bool:
        """Return whether others may reach it though nothing asks who they are."""
        ...


def check_listener(config: Listener, key: str) -> None:
    """Refuse an address that cannot be listened on, or should not be. `key` is the path of the map with `endpoint`.

    Raises:
        ConfigError: it is such an address.
    """
    if config.endpoint is not None:
        endpoint = parse_endpoint(config.endpoint, f"{key}::endpoint" if key else "endpoint")
        check_exposure(
            endpoint, key, authenticates=_authenticates(config), allow_unauthenticated=config.allow_unauthenticated
        )


class Guard:
    """Certificates and tokens of one address, None where they are off."""

    def __init__(self, config: Listener, key: str) -> None:
        self._config = config
        self._key = key
        prefix = f"{key}::" if key else ""
        self.certificates = None if config.tls is None else Certificates(config.tls, f"{prefix}tls")
        self.tokens = None if config.auth is None else Tokens(config.auth, f"{prefix}auth")

    @property
    def scheme(self) -> str:
        """Return `https` or `http`."""
        return "http" if self.certificates is None else "https"

    def load(self) -> None:
        """Read the files. Raises ConfigError when they cannot be used."""
        self.check()
        self._warn_of_what_is_open()

    def check(self) -> None:
        """Read the files and say nothing of what is open. Raises ConfigError when they cannot be used."""
        if self.certificates is not None:
            self.certificates.load()
        if self.tokens is not None:
            self.tokens.load()

    def reload(self) -> None:
        """Read the files again. Those that cannot be used are logged, and leave the earlier ones in force."""
        if self.certificates is not None:
            self.certificates.reload()
        if self.tokens is not None:
            self.tokens.reload()

    def _warn_of_what_is_open(self) -> None:
        key = self._key or "endpoint"
        endpoint = parse_endpoint(self._config.endpoint or "", key)
        if is_loopback(endpoint):
            return
        if not _authenticates(self._config):
            _LOG.warning("%s: whoever reaches %s is let in (allow_unauthenticated)", key, endpoint)
        elif self.certificates is None:
            _LOG.warning("%s: tokens travel to %s in plain text; set tls, or end TLS in front", key, endpoint)


def _authenticates(config: Listener) -> bool:
    return config.auth is not None or (config.tls is not None and config.tls.client_ca_file is not None)
