"""Read the files that TLS needs."""

from __future__ import annotations

import ssl
from pathlib import Path

from otel_carbon.errors import ConfigError

__all__ = ["client_context", "read_pem"]

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def read_pem(path: str | None, key: str) -> bytes | None:
    """Return the content of a PEM file, None without a path. Raises ConfigError when it cannot be read."""
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from error


def client_context(
    *, ca_file: str | None, cert_file: str | None, key_file: str | None, skip_verify: bool, min_version: str
) -> ssl.SSLContext:
    """Return the context of a TLS client. Raises ConfigError when a file cannot be used."""
    if (cert_file is None) != (key_file is None):
        missing = "tls::key_file" if key_file is None else "tls::cert_file"
        raise ConfigError(f"{missing}: is missing; a client shows a certificate and its key, or neither")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"tls::ca_file: cannot use {ca_file}: {_reason(error)}; PEM is needed") from error
    try:
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"tls::cert_file: cannot use {cert_file} and {key_file}: {_reason(error)};"
            " a PEM certificate and its private key without a passphrase are needed"
        ) from error
    context.minimum_version = _VERSIONS[min_version]
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _no_password() -> str:
    """Answer for the person at a terminal, whom OpenSSL would ask otherwise."""
    return ""
