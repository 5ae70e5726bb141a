"""Bearer tokens: which are accepted, and whose they are."""

from __future__ import annotations

import hmac
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from otel_carbon.errors import ConfigError, UnauthenticatedError
from otel_carbon.security.secret import Secret

__all__ = ["AuthConfig", "TokenConfig", "Tokens"]

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0
_TOKEN = re.compile(r"[!-~]+")
_WRITTEN = "visible ASCII characters without blanks"

Known = tuple[bytes, str | None]
"""Digest of a token, and the tenant that it stands for."""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """One of `tokens`: with `tenant`, whatever comes with it is accounted to that tenant."""

    token: Secret
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Keys of `auth`, named as in the Collector's `bearertokenauth` extension. All tokens that are named are accepted.

    Raises:
        ConfigError: no token is named, or one that no header can carry, or one token for two tenants.
    """

    token: Secret | None = None
    tokens: tuple[Secret | TokenConfig, ...] = ()
    filename: str | None = None
    """A token on each line, its tenant after a blank; read again when it changes."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.token is None and not self.tokens and not self.filename:
            raise ConfigError("names no token; set token, tokens or filename")
        if self.token is not None and not self.token.reveal():
            raise ConfigError("token: is empty")
        _checked(self.named())

    def named(self) -> list[TokenConfig]:
        """Return the tokens that the config itself holds."""
        listed = [one if isinstance(one, TokenConfig) else TokenConfig(one) for one in self.tokens]
        return listed if self.token is None else [TokenConfig(self.token), *listed]


class Tokens:
    """The tokens of one address. Thread-safe. The file is looked at no more than once a second."""

    def __init__(self, config: AuthConfig, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[Known, ...] = ()
        self._seen: tuple[int, ...] | None = None
        self._due_s = 0.0

    def load(self) -> None:
        """Read the file. Raises ConfigError when it cannot be used; the message names the key and no token."""
        with self._lock:
            self._seen = self._state_of_file()
            self._known = self._read()
            self._due_s = self._clock() + _LOOK_EVERY_S

    def reload(self) -> None:
        """Look at the file now."""
        self._due_s = float("-inf")
        self._look_again()

    def tenant(self, authorization: Sequence[str]) -> str | None:
        """Return the tenant of the token in these `Authorization` headers, None where it stands for none.

        Raises:
            UnauthenticatedError: there is no token, or not one that is accepted.
        """
        self._look_again()
        if len(authorization) != 1:
            raise UnauthenticatedError("no bearer token; send one header `Authorization: Bearer <token>`")
        scheme, _, token = authorization[0].strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthenticatedError("not a bearer token; send `Authorization: Bearer <token>`")
        found = _find(self._known, _digest(token.strip()))
        if found is None:
            raise UnauthenticatedError("the bearer token is not accepted", invalid=True)
        return found[1]

    def _look_again(self) -> None:
        if self._config.filename is None or self._clock() < self._due_s:
            return
        with self._lock:
            self._due_s = self._clock() + _LOOK_EVERY_S
            try:
                seen = self._state_of_file()
                if seen != self._seen:
                    self._known, self._seen = self._read(), seen
                    _LOG.info("%s::filename: %d tokens are accepted now", self._key, len(self._known))
            except ConfigError as error:
                _LOG.error("%s; the earlier tokens stay accepted", error)

    def _state_of_file(self) -> tuple[int, ...] | None:
        if self._config.filename is None:
            return None
        try:
            found = Path(self._config.filename).stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> tuple[Known, ...]:
        named = self._config.named()
        if self._config.filename is None:
            return _checked(named)
        try:
            text = Path(self._config.filename).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._key}::filename: {self._config.filename} is not text") from error
        except OSError as error:
            raise self._unreadable(error) from error
        in_file = list(_lines(text))
        if not in_file:
            raise ConfigError(f"{self._key}::filename: {self._config.filename} holds no token; write one on each line")
        try:
            return _checked([*named, *in_file])
        except ConfigError as error:
            raise ConfigError(f"{self._key}::filename: {self._config.filename}: {error}") from error

    def _unreadable(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self._key}::filename: cannot read {self._config.filename}: {error.strerror}")


def _lines(text: str) -> Iterable[TokenConfig]:
    for line in text.splitlines():
        token, _, tenant = line.strip().partition(" ")
        if token and not token.startswith("#"):
            yield TokenConfig(Secret(token), tenant.strip() or None)


def _checked(named: Sequence[TokenConfig]) -> tuple[Known, ...]:
    """Return the digests of tokens. Raises ConfigError; a token is named by its number, never by itself."""
    found: dict[bytes, str | None] = {}
    for number, one in enumerate(named, 1):
        text = one.token.reveal()
        if not _TOKEN.fullmatch(text):
            raise ConfigError(f"tokens: number {number} is {f'not {_WRITTEN}' if text else 'empty'}")
        if found.setdefault(_digest(text), one.tenant) != one.tenant:
            raise ConfigError(f"tokens: number {number} stands for another tenant too; give each tenant its own")
    return tuple(found.items())


def _find(known: Iterable[Known], digest: bytes) -> Known | None:
    """Return the token with this digest. Every one is compared, in constant time: the time tells nothing."""
    found = None
    for one in known:
        if hmac.compare_digest(one[0], digest):
            found = one
    return found


def _digest(token: str) -> bytes:
    """Return what is compared: of one length, whatever a sender sends."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
