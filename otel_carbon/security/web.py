"""Listening for HTTP, and the guard of what is served by it to people and scrapers."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from otel_carbon.errors import UnauthenticatedError
from otel_carbon.pipeline.endpoint import Endpoint
from otel_carbon.pipeline.listening import cannot_listen
from otel_carbon.security.guard import Guard
from otel_carbon.security.tokens import Tokens

__all__ = ["authenticated", "challenge", "listen"]


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


async def listen(
    runner: web.AppRunner,
    endpoint: Endpoint,
    guard: Guard | None,
    key: str,
    site: Callable[[ssl.SSLContext | None], web.BaseSite] | None = None,
) -> str:
    """Let an application be reached, by TLS where the guard has certificates, and return the URL.

    Raises:
        ConfigError: the address cannot be had; the message names `key`, and nothing is left open.
    """
    await runner.setup()
    try:
        context = None if guard is None or guard.certificates is None else guard.certificates.listening_context()
        here = web.TCPSite(runner, endpoint.host, endpoint.port, ssl_context=context) if site is None else site(context)
        await here.start()
    except OSError as error:
        await runner.cleanup()
        raise cannot_listen(endpoint, key, error) from error
    scheme = "http" if guard is None else guard.scheme
    return f"{scheme}://{Endpoint(endpoint.host, runner.addresses[0][1])}"
