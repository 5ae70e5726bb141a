"""The local mock provider: OpenAI, Anthropic, Gemini and Bedrock on loopback, and the truth about what it served.

Every request is a call of its own: its response id is unique and so are its token counts, unless the prompt contains
`ALIKE`. Paths begin with `/r/{run}`, so that programs that run side by side have a truth each.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import azure_monitor
import provider_anthropic
import provider_bedrock
import provider_gemini
import provider_openai
from aiohttp import web
from provider_answers import Answer, Counts, Request

__all__ = ["Provider", "serve"]

_PARTS = (provider_openai, provider_anthropic, provider_gemini, provider_bedrock)
_REFUSED = "REFUSE"
_REFUSED_ONCE = "RETRY"
_ALIKE = "ALIKE"


class Provider:
    """Keeps what was served, by run: `truth[run]` is a list of requests in order of arrival.

    `ingested[run]` is what its client for Azure Monitor sent.
    """

    def __init__(self) -> None:
        self.truth: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.ingested: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._numbers = itertools.count(1)
        self._refused: set[tuple[str, str]] = set()

    def app(self) -> web.Application:
        """Return the server."""
        app = web.Application(client_max_size=1 << 26)
        for part in _PARTS:
            for path, handle in part.ROUTES.items():
                app.router.add_post(f"/r/{{run}}{path}", self._handler(part, handle))
        app.router.add_post(f"/r/{{run}}{azure_monitor.PATH}", self._ingest)
        return app

    async def _ingest(self, http: web.Request) -> web.StreamResponse:
        envelopes = await http.json()
        self.ingested[http.match_info["run"]] += envelopes
        return web.json_response(azure_monitor.acknowledged(envelopes))

    def _handler(
        self, part: Any, handle: Callable[[Request], Answer]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(http: web.Request) -> web.StreamResponse:
            body = await http.json()
            arrived = time.time_ns()
            run, text = http.match_info["run"], json.dumps(body)
            if _REFUSED in text or (_REFUSED_ONCE in text and self._is_first(run, text)):
                self._keep(run, http.path, arrived, 429, Counts())
                return web.json_response(part.REFUSAL, status=429, headers=part.REFUSAL_HEADERS)
            number = 0 if _ALIKE in text else next(self._numbers)
            answered = handle(Request(body, dict(http.match_info), number, uuid.uuid4().hex[:20]))
            self._keep(run, http.path, arrived, 200, answered.truth)
            return await _send(http, answered)

        return answer

    def _is_first(self, run: str, text: str) -> bool:
        seen = (run, text) in self._refused
        self._refused.add((run, text))
        return not seen

    def _keep(self, run: str, path: str, arrived: int, status: int, counts: Counts) -> None:
        self.truth[run].append(
            {"path": path.split("/", 3)[3], "arrived_unix_nano": arrived, "status": status, **counts.as_dict()}
        )


async def _send(http: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.document is not None:
        return web.json_response(answer.document, headers=answer.headers)
    response = web.StreamResponse(headers=answer.headers)
    await response.prepare(http)
    with suppress(ConnectionError):  # a client may have heard enough
        for chunk in answer.chunks:
            await response.write(chunk)
            await asyncio.sleep(0.002)
        await response.write_eof()
    return response


@contextmanager
def serve() -> Iterator[tuple[Provider, str]]:
    """Serve on a free port of loopback in a thread of its own. Yields the provider and its base URL."""
    provider, loop = Provider(), asyncio.new_event_loop()
    runner = web.AppRunner(provider.app())

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield provider, asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
