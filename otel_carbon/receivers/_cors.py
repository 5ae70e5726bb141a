"""Cross-origin requests from browsers: who may send, and the answers that let a page read the response.

The rules are those of the Collector's `confighttp` (rs/cors below it). One thing differs: what its documentation calls
implicitly allowed, `Content-Type` first of all, is allowed beside a list of `allowed_headers` as well. Every OTLP
request of a browser has a Content-Type that must be allowed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from otel_carbon.errors import ConfigError

__all__ = ["CorsConfig", "actual_headers", "cors", "preflight_headers"]

_KEY = "protocols::http::cors"
_METHODS = frozenset({"GET", "HEAD", "POST"})
_SAFE_HEADERS = frozenset({"accept", "accept-language", "content-language", "content-type"})
_DEFAULT_HEADERS = frozenset({"x-requested-with"})
_PREFLIGHT_VARY = f"{hdrs.ORIGIN}, {hdrs.ACCESS_CONTROL_REQUEST_METHOD}, {hdrs.ACCESS_CONTROL_REQUEST_HEADERS}"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class CorsConfig:
    """Keys of `protocols::http::cors`. Without origins it is off.

    Raises:
        ConfigError: an origin that no browser sends, or settings that do nothing for want of an origin.
    """

    allowed_origins: tuple[str, ...] = ()
    """Origins as `https://app.example.com`; one `*` in each stands for any characters, alone for every origin."""
    allowed_headers: tuple[str, ...] = ()
    """Request headers beside the safe ones; `*` for all."""
    exposed_headers: tuple[str, ...] = ()
    """Response headers that a page may read."""
    max_age: int = 0
    """Seconds that a browser may keep a permission; 0 leaves it to the browser, less than 0 forbids it."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for origin in self.allowed_origins:
            _check_origin(origin)
        if not self.allowed_origins and (self.allowed_headers or self.exposed_headers or self.max_age):
            raise ConfigError(f"{_KEY}: nothing is allowed without an origin; list the pages in allowed_origins")


def cors(config: CorsConfig) -> Middleware:
    """Return the middleware that answers preflights and marks every other answer, errors too, as readable."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        wanted_method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        if request.method == hdrs.METH_OPTIONS and wanted_method is not None:
            wanted_headers = ",".join(request.headers.getall(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, ()))
            return web.Response(status=204, headers=preflight_headers(config, origin, wanted_method, wanted_headers))
        response = await handler(request)
        response.headers.update(actual_headers(config, origin, request.method))
        return response

    return middleware


def preflight_headers(config: CorsConfig, origin: str | None, method: str, headers: str) -> Mapping[str, str]:
    """Return the headers of the answer to a preflight: the permission that it asks for, or none of it."""
    found: dict[str, str] = {hdrs.VARY: _PREFLIGHT_VARY}
    allowed = _allowed_origin(config, origin)
    if allowed is None or method not in _METHODS or not _are_allowed(config, headers):
        return found
    found |= _permission(allowed) | {hdrs.ACCESS_CONTROL_ALLOW_METHODS: method}
    if headers:
        found[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = headers
    if config.max_age:
        found[hdrs.ACCESS_CONTROL_MAX_AGE] = str(max(0, config.max_age))
    return found


def actual_headers(config: CorsConfig, origin: str | None, method: str) -> Mapping[str, str]:
    """Return the headers that let the page of an allowed origin read an answer."""
    found: dict[str, str] = {hdrs.VARY: hdrs.ORIGIN}  # always: a cache must not give one origin's answer to another
    allowed = _allowed_origin(config, origin)
    if allowed is None or method not in _METHODS:
        return found
    found |= _permission(allowed)
    if config.exposed_headers:
        found[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(config.exposed_headers)
    return found


def _permission(origin: str) -> dict[str, str]:
    """Return who may read. A browser refuses credentials to `*`, so none are promised there."""
    if origin == "*":
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}
    return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS: "true"}


def _allowed_origin(config: CorsConfig, origin: str | None) -> str | None:
    if not origin:
        return None
    if "*" in config.allowed_origins:
        return "*"
    return origin if any(_matches(pattern.lower(), origin.lower()) for pattern in config.allowed_origins) else None


def _matches(pattern: str, origin: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return origin == pattern
    return len(origin) >= len(start) + len(end) and origin.startswith(start) and origin.endswith(end)


def _are_allowed(config: CorsConfig, headers: str) -> bool:
    listed = {name.lower() for name in config.allowed_headers}
    wanted = {name.strip().lower() for name in headers.split(",")} - {""}
    return "*" in listed or wanted <= _SAFE_HEADERS | (listed or _DEFAULT_HEADERS)


def _check_origin(origin: str) -> None:
    """Refuse a pattern that no Origin header can match: it has scheme, host and port, and nothing after them."""
    scheme, separator, host = origin.partition("://")
    if origin.count("*") > 1:
        raise ConfigError(f"{_KEY}::allowed_origins: {origin!r} has more than one *; write one pattern for each case")
    if "/" in host or (separator and not (scheme and host)):
        fix = "a browser sends scheme, host and port alone, as https://app.example.com"
        raise ConfigError(f"{_KEY}::allowed_origins: {origin!r} can match no origin; {fix}")
    if not separator and "*" not in origin and origin.lower() != "null":
        raise ConfigError(f"{_KEY}::allowed_origins: {origin!r} has no scheme; write https://{origin or 'host'}")
