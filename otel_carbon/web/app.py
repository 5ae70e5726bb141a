"""The web endpoint of a gateway. What it shows comes through `WebSources`, so that it knows no gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from otel_carbon.errors import CarbonError, ConfigError, InvalidDataError
from otel_carbon.pipeline.endpoint import parse_endpoint
from otel_carbon.security.guard import Guard
from otel_carbon.security.web import authenticated, listen
from otel_carbon.web.page import status_page

__all__ = ["WebServer", "WebSources"]

_KEY = "service::web::endpoint"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # what probes ask carries no token, and hardly an answer
_GRACE_S = 2.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class WebSources:
    """Where the answers come from. All but `unready_reason` may read the disk and are called in a thread.

    `report` takes the query parameters of `/api/v1/report` and gives the JSON of a report; it raises ConfigError for
    a parameter that is wrong, StorageError where there is no ledger to read.
    """

    unready_reason: Callable[[], str | None]
    metrics_text: Callable[[], str]
    describe: Callable[[], Mapping[str, Any]]
    report: Callable[[Mapping[str, str]], Mapping[str, Any]]


class WebServer:
    """Serves one address. With a guard it speaks TLS or asks for tokens, but not for health and readiness."""

    def __init__(self, endpoint: str, sources: WebSources, guard: Guard | None = None) -> None:
        self._endpoint = parse_endpoint(endpoint, _KEY)
        self._sources = sources
        self._guard = guard
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen, and return the bound URL.

        Raises:
            ConfigError: the address cannot be had, or a file of TLS or tokens cannot be used.
        """
        if self._guard is not None:
            self._guard.load()
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_GRACE_S)
        url = await listen(runner, self._endpoint, self._guard, _KEY)
        self._runner = runner
        return url

    def reload_files(self) -> None:
        """Read certificates and tokens again; files that cannot be used leave the earlier ones in force."""
        if self._guard is not None:
            self._guard.reload()

    async def shutdown(self) -> None:
        """Stop listening. Safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _app(self) -> web.Application:
        tokens = None if self._guard is None else self._guard.tokens
        checks = [] if tokens is None else [authenticated(tokens, open_paths=_OPEN_PATHS)]
        app = web.Application(middlewares=[_guarded, *checks])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/healthz", _healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/api/v1/report", self._report),
                web.get("/debug/pipelines", self._pipelines),
            ]
        )
        return app

    async def _readyz(self, _request: web.Request) -> web.Response:
        reason = self._sources.unready_reason()
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "unready", "reason": reason}, status=503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        text = await asyncio.to_thread(self._sources.metrics_text)
        return web.Response(body=text.encode(), headers={"Content-Type": _METRICS_TYPE})

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(self._sources.report, dict(request.query)))

    async def _pipelines(self, _request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(self._sources.describe))

    async def _page(self, _request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        described = await asyncio.to_thread(self._sources.describe)
        try:
            query = {"from": now.date().isoformat(), "by": "provider,model"}
            report = await asyncio.to_thread(self._sources.report, query)
        except CarbonError as error:
            page = status_page(now, described, self._sources.unready_reason(), str(error))
        else:
            page = status_page(now, described, self._sources.unready_reason(), report)
        return web.Response(text=page, content_type="text/html")


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@web.middleware
async def _guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except (ConfigError, InvalidDataError) as error:
        response = web.json_response({"error": str(error)}, status=400)
    except CarbonError as error:
        response = web.json_response({"error": str(error)}, status=503)
    response.headers.update(_HEADERS)
    return response
