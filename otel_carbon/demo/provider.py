"""An OpenAI-compatible server on loopback: chat completions, plain and streaming, and embeddings.

Answers are canned; usage is counted the way the real API reports it (cached tokens inside the prompt tokens, reasoning
tokens inside the completion tokens, a usage chunk at the end of a stream only when it is asked for). What was served is
kept, so that the demo can compare the ledger with it.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

__all__ = ["Provider", "Served"]

_SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5": "gpt-5-2025-08-07",
    "o4-mini": "o4-mini-2025-04-16",
}
_REASONING_TOKENS = {"gpt-5": 448, "o4-mini": 256}
_CACHE_MINIMUM = 1024  # OpenAI caches prompt prefixes from 1024 tokens on, in steps of 128
_CACHE_STEP = 128
_ANSWER = (
    "The grid is cleanest around noon, when solar output peaks, so a job that can wait until then emits less. "
    "Short prompts, cached prefixes and the smallest model that answers well do more than any schedule."
)
_CREATED = 1_764_000_000


@dataclass(frozen=True, slots=True)
class Served:
    """One answered request, with the token counts that the provider would bill."""

    model: str
    operation: str
    input_tokens: int
    cache_read_tokens: int
    output_tokens: int
    reasoning_tokens: int


@dataclass(slots=True)
class Provider:
    """Holds what was served. `app()` is the server."""

    served: list[Served] = field(default_factory=list[Served])
    _prefixes: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def app(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embeddings)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        served = self._count_chat(body)
        self.served.append(served)
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": _CREATED,
            "model": served.model,
            "system_fingerprint": "fp_demo",
        }
        if body.get("stream"):
            wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return await _stream(request, head, _usage(served) if wants_usage else None)
        message = {"role": "assistant", "content": _ANSWER, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(served)})

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        tokens = sum(_tokens(text) for text in texts)
        self.served.append(Served(body["model"], "embeddings", tokens, 0, 0, 0))
        vectors = [{"object": "embedding", "index": n, "embedding": [0.0] * 8} for n in range(len(texts))]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return web.json_response({"object": "list", "data": vectors, "model": body["model"], "usage": usage})

    def _count_chat(self, body: Mapping[str, Any]) -> Served:
        model = str(body["model"])
        messages = [str(message["content"]) for message in body["messages"]]
        prompt = sum(_tokens(text) for text in messages)
        prefix = _tokens(messages[0]) // _CACHE_STEP * _CACHE_STEP
        cached = prefix if prefix >= _CACHE_MINIMUM and (model, messages[0]) in self._prefixes else 0
        self._prefixes.add((model, messages[0]))
        reasoning = _REASONING_TOKENS.get(model, 0)
        return Served(
            model=_SNAPSHOTS.get(model, model),
            operation="chat",
            input_tokens=prompt,
            cache_read_tokens=cached,
            output_tokens=_tokens(_ANSWER) + reasoning,
            reasoning_tokens=reasoning,
        )


def _tokens(text: str) -> int:
    """Return a token count of plausible size: about four characters each."""
    return max(1, len(text) // 4)


def _usage(served: Served) -> dict[str, Any]:
    return {
        "prompt_tokens": served.input_tokens,
        "completion_tokens": served.output_tokens,
        "total_tokens": served.input_tokens + served.output_tokens,
        "prompt_tokens_details": {"cached_tokens": served.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": served.reasoning_tokens, "audio_tokens": 0},
    }


async def _stream(request: web.Request, head: dict[str, Any], usage: dict[str, Any] | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    words = _ANSWER.split(" ")
    role = {"role": "assistant", "content": "", "refusal": None}
    await _send(response, head, [{"index": 0, "delta": role, "finish_reason": None}])
    for number, word in enumerate(words):
        delta = {"content": word if number == 0 else f" {word}"}
        await _send(response, head, [{"index": 0, "delta": delta, "finish_reason": None}])
        await asyncio.sleep(0)
    await _send(response, head, [{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if usage is not None:
        await _send(response, head, [], usage)
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _send(
    response: web.StreamResponse, head: dict[str, Any], choices: list[Any], usage: dict[str, Any] | None = None
) -> None:
    chunk = {**head, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
