"""OpenAI, Anthropic and Mistral on one loopback port, for clients of any language.

Chat completions and embeddings are the demo's provider; this adds the Responses API with a tool call, Anthropic's
Messages API, and a number that makes the usage of every call its own. Shapes follow the published API references.
`served` is the truth that a ledger is compared with.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from otel_carbon.demo.provider import Provider, Served

__all__ = ["GenaiProvider", "running_provider"]

_TEXT = "At noon, when the sun is high."
_CACHE_READ, _CACHE_WRITE, _REASONING = 400, 100, 64


@dataclass
class GenaiProvider:
    """What was asked and what was served, in order. `url` has no path."""

    url: str = ""
    served: list[Served] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    refuse_next: int = 0
    """How many of the next requests are answered with 429."""

    def app(self) -> web.Application:
        chat = Provider(served=self.served)
        app = chat.app()
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/mistral/v1/chat/completions", self._mistral)
        app.middlewares.append(self._note)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.refuse_next:
            self.refuse_next -= 1
            error = {"error": {"message": "slow down", "type": "rate_limit", "code": "rate_limit_exceeded"}}
            return web.json_response(error, status=429, headers={"retry-after-ms": "10"})
        return await handler(request)

    def _count(self, model: str, *, cache_write: int = 0, reasoning: int = 0) -> Served:
        """Return usage that no other call has: the input grows by one, the output by three."""
        number = len(self.served)
        served = Served(model, "chat", 1200 + number + cache_write, _CACHE_READ, 345 + 3 * number, reasoning)
        self.served.append(served)
        return served

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        served = self._count(f"{body['model']}-2024-08-06", reasoning=_REASONING)
        number = len(self.served)
        response = {
            "id": f"resp_{number:04}",
            "object": "response",
            "created_at": 1_790_000_000,
            "status": "completed",
            "model": served.model,
            "output": [_call_of_a_tool(number) if _wants_tool(body) else _message(number)],
            "usage": {
                "input_tokens": served.input_tokens,
                "input_tokens_details": {"cached_tokens": _CACHE_READ},
                "output_tokens": served.output_tokens,
                "output_tokens_details": {"reasoning_tokens": _REASONING},
                "total_tokens": served.input_tokens + served.output_tokens,
            },
        }
        if not body.get("stream"):
            return web.json_response(response)
        return await _events(request, _response_events(response))

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        served = self._count(body["model"], cache_write=_CACHE_WRITE)
        usage = {  # Anthropic counts the cached tokens beside the input
            "input_tokens": served.input_tokens - _CACHE_READ - _CACHE_WRITE,
            "cache_read_input_tokens": _CACHE_READ,
            "cache_creation_input_tokens": _CACHE_WRITE,
            "output_tokens": served.output_tokens,
        }
        message = {"id": f"msg_{len(self.served):04}", "type": "message", "role": "assistant", "model": served.model}
        done = {"stop_reason": "end_turn", "stop_sequence": None}
        if not body.get("stream"):
            content = [{"type": "text", "text": _TEXT}]
            return web.json_response({**message, "content": content, **done, "usage": usage})
        return await _events(request, _message_events(message, done, usage))

    async def _mistral(self, request: web.Request) -> web.StreamResponse:
        """Stream as Mistral does: usage unasked, in the last chunk."""
        body = await request.json()
        number = len(self.served)
        served = Served(body["model"], "chat", 900 + number, 0, 210 + number, 0)
        self.served.append(served)
        tokens = {"prompt_tokens": served.input_tokens, "completion_tokens": served.output_tokens}
        usage = tokens | {"total_tokens": sum(tokens.values())}
        head = {"id": f"mistral-{number:04}", "object": "chat.completion.chunk", "created": 1_790_000_000}
        return await _events(request, _mistral_events(head | {"model": served.model}, usage), done="[DONE]")


def _wants_tool(body: Mapping[str, Any]) -> bool:
    return bool(body.get("tools")) and not any(
        item.get("type") == "function_call_output" for item in body["input"] if isinstance(item, dict)
    )


def _call_of_a_tool(number: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": "gridIntensity",
        "arguments": '{"city":"Paris"}',
        "status": "completed",
    }


def _message(number: int) -> dict[str, Any]:
    text = {"type": "output_text", "text": _TEXT, "annotations": [], "logprobs": []}
    return {"type": "message", "id": f"m_{number}", "role": "assistant", "status": "completed", "content": [text]}


def _response_events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    item = response["output"][0]
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}
    for word in _TEXT.split():
        delta = {"item_id": item["id"], "output_index": 0, "content_index": 0, "delta": f"{word} ", "logprobs": []}
        yield {"type": "response.output_text.delta", **delta}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": response}


def _message_events(message: dict[str, Any], done: dict[str, Any], usage: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**begun, "usage": {**usage, "output_tokens": 2}}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in _TEXT.split():
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"{word} "}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": done, "usage": usage}
    yield {"type": "message_stop"}


def _mistral_events(head: dict[str, Any], usage: dict[str, int]) -> Iterator[dict[str, Any]]:
    for word in _TEXT.split():
        delta = {"role": "assistant", "content": f"{word} "}
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}], "usage": usage}


async def _events(
    request: web.Request, events: Iterator[dict[str, Any]], done: str | None = None
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number, event in enumerate(events):
        kind = event.get("type", "")
        name = f"event: {kind}\n" if kind else ""
        data = json.dumps({**event, "sequence_number": number} if kind.startswith("response.") else event)
        await response.write(f"{name}data: {data}\n\n".encode())
    if done is not None:
        await response.write(f"data: {done}\n\n".encode())
    await response.write_eof()
    return response


@contextmanager
def running_provider() -> Iterator[GenaiProvider]:
    """Serve on a free port, in a thread, until the block ends."""
    provider = GenaiProvider()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(provider.app())

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
