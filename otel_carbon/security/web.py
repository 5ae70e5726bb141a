"""The guard of what is served over HTTP to people and scrapers."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from otel_carbon.errors import UnauthenticatedError
from otel_carbon.security.guard import Guard
from otel_carbon.security.tokens import Tokens

__all__ = ["authenticated", "challenge", "tls_context"]


def authenticated(tokens: Tokens, *, open_paths: frozenset[str] = frozenset()) -> Middleware:
    """Return the middleware that asks for a token everywhere but on the open paths."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path not in open_paths:
            try:
                tokens.tenant(request.headers.getall(hdrs.AUTHORIZATION, []))
            except UnauthenticatedError as error:
                headers = {hdrs.WWW_AUTHENTICATE: challenge(error)}
                return web.json_response({"error": str(error)}, status=401, headers=headers)
        return await handler(request)

    return middleware


def challenge(error: UnauthenticatedError) -> str:
    """Return the `WWW-Authenticate` of RFC 6750: only a token that was wrong is called wrong."""
    return 'Bearer realm="otel-carbon"' + (', error="invalid_token"' if error.invalid else "")


def tls_context(guard: Guard | None) -> ssl.SSLContext | None:
    """Return the context to listen with; None is plain text."""
    return None if guard is None or guard.certificates is None else guard.certificates.listening_context()
