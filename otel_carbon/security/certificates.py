"""TLS of an address that is listened on: PEM files, read again when asked to."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.duration import duration_s

__all__ = ["Certificates", "LoadedCertificates", "ServerTlsConfig"]

_LOG = logging.getLogger(__name__)
_PEM = b"-----BEGIN "
_REASONS = {"KEY_VALUES_MISMATCH": "the key is not that of the certificate"}
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class ServerTlsConfig:
    """Keys of `tls` of an address, named as in the Collector's `configtls`. Files are PEM.

    Raises:
        ConfigError: the interval is not a duration longer than nothing.
    """

    cert_file: str
    """Certificate, followed by those between it and the authority."""
    key_file: str
    """Private key, not encrypted."""
    client_ca_file: str | None = None
    """Authorities of clients: with it, a client must show a certificate of theirs (mTLS)."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    reload_interval: str | None = None
    """How often the files are read again; left out, never."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.reload_interval is not None and duration_s(self.reload_interval, "reload_interval") <= 0:
            raise ConfigError("reload_interval: must be longer than 0s; leave it out to read the files once")


@dataclass(frozen=True, slots=True)
class LoadedCertificates:
    """The files as they were at one moment, which fit together."""

    chain: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes | None
    context: ssl.SSLContext


class Certificates:
    """The certificates of one address. Thread-safe: gRPC asks from threads of its own."""

    def __init__(self, config: ServerTlsConfig, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded: LoadedCertificates | None = None
        interval = config.reload_interval
        self._interval_s = float("inf") if interval is None else duration_s(interval, f"{key}::reload_interval")
        self._due_s = float("inf")

    def load(self) -> LoadedCertificates:
        """Read the files. Raises ConfigError when they cannot be used; the message names the key."""
        with self._lock:
            self._loaded = _load(self._config, self._key)
            self._due_s = self._clock() + self._interval_s
            return self._loaded

    def reload(self) -> None:
        """Read the files again now, whatever the interval is."""
        with self._lock:
            self._due_s = float("-inf")
        self.current()

    def current(self) -> LoadedCertificates:
        """Return what is to be shown to the next client. Files that cannot be used leave the earlier ones in place."""
        with self._lock:
            assert self._loaded is not None
            if self._clock() >= self._due_s:
                self._due_s = self._clock() + self._interval_s
                try:
                    self._loaded = _changed(self._loaded, _load(self._config, self._key))
                except ConfigError as error:
                    _LOG.error("%s; the earlier certificates stay in use", error)
            return self._loaded

    def listening_context(self) -> ssl.SSLContext:
        """Return the context to listen with: each handshake gets the certificates that are current then."""
        context = _context(self._config)
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self.current().context


def _changed(old: LoadedCertificates, new: LoadedCertificates) -> LoadedCertificates:
    same = (old.chain, old.private_key, old.client_ca) == (new.chain, new.private_key, new.client_ca)
    return old if same else new


def _load(config: ServerTlsConfig, key: str) -> LoadedCertificates:
    pems = _pems(config, key)
    context = _usable_context(config, key)
    if _pems(config, key) != pems:
        raise ConfigError(f"{key}: the files are being replaced")
    return LoadedCertificates(*pems, context)


def _pems(config: ServerTlsConfig, key: str) -> tuple[bytes, bytes, bytes | None]:
    client_ca = config.client_ca_file
    return (
        _read(config.cert_file, f"{key}::cert_file"),
        _read(config.key_file, f"{key}::key_file"),
        None if client_ca is None else _read(client_ca, f"{key}::client_ca_file"),
    )


def _read(path: str, key: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from error
    if _PEM not in content:
        raise ConfigError(f"{key}: {path} is not PEM; a PEM file has a line that begins with {_PEM.decode()}")
    return content


def _usable_context(config: ServerTlsConfig, key: str) -> ssl.SSLContext:
    try:
        return _context(config)
    except _CertificateFileError as error:
        raise ConfigError(f"{key}::{error}") from error


class _CertificateFileError(Exception):
    """The key of a file, and what is wrong with it."""


def _context(config: ServerTlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    try:
        context.load_cert_chain(config.cert_file, config.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        raise _CertificateFileError(
            f"cert_file: {config.cert_file} and {config.key_file} cannot be used: {_reason(error)}; "
            "a PEM certificate and its private key without a passphrase are needed"
        ) from error
    if config.client_ca_file is not None:
        _ask_for_client_certificates(context, config.client_ca_file)
    return context


def _ask_for_client_certificates(context: ssl.SSLContext, client_ca_file: str) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    # A resumed session is not verified again: an authority that is taken out would live on in its clients' tickets.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        context.load_verify_locations(client_ca_file)
    except OSError as error:
        raise _CertificateFileError(
            f"client_ca_file: {client_ca_file} cannot be used: {_reason(error)}; PEM certificates are needed"
        ) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    return _REASONS.get(reason) or reason or getattr(error, "strerror", None) or str(error)


def _no_password() -> str:
    """Answer for the person at a terminal, whom OpenSSL would ask otherwise."""
    return ""
