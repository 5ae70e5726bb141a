"""Who sends a request over HTTP, asked before anything else is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from otel_carbon.security.tokens import Tokens

__all__ = ["known_sender", "tenant_of"]


def known_sender(tokens: Tokens) -> Middleware:
    """Return the middleware that lets nobody through without a token. It raises UnauthenticatedError."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        tenant_of(request, tokens)
        return await handler(request)

    return middleware


def tenant_of(request: web.Request, tokens: Tokens | None) -> str | None:
    """Return the tenant that the sender's token stands for, if it stands for one, and if tokens are asked for.

    Raises:
        UnauthenticatedError: there is no token, or not one that is accepted.
    """
    return None if tokens is None else tokens.tenant(request.headers.getall(hdrs.AUTHORIZATION, []))
