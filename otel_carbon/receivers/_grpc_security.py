"""TLS and tokens in the terms of gRPC."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from otel_carbon.errors import ConfigError, UnauthenticatedError
from otel_carbon.security.certificates import Certificates, LoadedCertificates, ServerTlsConfig
from otel_carbon.security.tokens import Tokens

__all__ = ["TokenCheck", "authorization", "check_tls", "server_credentials"]

_Refuse = Callable[[Exception, "grpc.aio.ServicerContext[Any, bytes]"], Awaitable[bytes]]


def check_tls(config: ServerTlsConfig | None, key: str) -> None:
    """Refuse what the gRPC library cannot promise: it takes TLS 1.2 and 1.3, and has no setting for that.

    Raises:
        ConfigError: 1.3 alone is asked for.
    """
    if config is not None and config.min_version != "1.2":
        raise ConfigError(
            f"{key}::min_version: the gRPC library for Python always takes TLS 1.2 too; leave it at 1.2, or take only "
            "OTLP/HTTP, where 1.3 can be asked for"
        )


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Return the credentials to listen with: each handshake gets the certificates that are current then."""
    shown = certificates.current()
    asks = shown.client_ca is not None

    def newer() -> Any:  # None for "as before", which the stubs do not know
        nonlocal shown
        now = certificates.current()
        if now is shown:
            return None
        shown = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(_configuration(shown), newer, asks)


def _configuration(loaded: LoadedCertificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(loaded.private_key, loaded.chain)], loaded.client_ca)


def authorization(metadata: Any) -> list[str]:
    """Return the `authorization` entries of a call's metadata."""
    return [value for key, value in metadata or () if key == "authorization" and isinstance(value, str)]


class TokenCheck(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # not generic when it runs
    """Lets no call through without a token."""

    def __init__(self, tokens: Tokens, refuse: _Refuse) -> None:
        self._tokens = tokens
        self._refuse = refuse

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the handler of the call, or one that refuses it."""
        try:
            self._tokens.tenant(authorization(handler_call_details.invocation_metadata))
        except UnauthenticatedError as error:
            return self._refusing(error)
        return await continuation(handler_call_details)

    def _refusing(self, error: UnauthenticatedError) -> Any:
        async def refuse(_requests: Any, context: Any) -> bytes:
            return await self._refuse(error, context)

        # For a handler of a stream the library reads no message before it is asked for one.
        return grpc.stream_unary_rpc_method_handler(refuse)
