"""Chat completions, responses and embeddings as the OpenAI API reference describes them.

Cached tokens are inside the prompt tokens, reasoning tokens inside the completion tokens. The usage of a stream of chat
completions is sent only when `stream_options.include_usage` asks for it.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from provider_answers import TEXT, WORDS, Answer, Counts, Request, events, tool_call

_CREATED = 1_764_000_000
_SNAPSHOTS = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18"}
_EVENT_STREAM = {"content-type": "text/event-stream"}

REFUSAL = {"error": {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
REFUSAL_HEADERS = {"retry-after-ms": "1"}


def chat(request: Request) -> Answer:
    body, counts = request.body, request.counts()
    tools = [tool["function"]["name"] for tool in body.get("tools") or []]
    message, reason = _message(request, tool_call(tools, body["messages"]))
    base = {
        "id": f"chatcmpl-{request.unique}",
        "created": _CREATED,
        "model": _model(body),
        "system_fingerprint": "fp_mock",
        "service_tier": "default",
    }
    usage = _chat_usage(counts)
    if not body.get("stream"):
        choice = {"index": 0, "message": {**message, "refusal": None}, "finish_reason": reason, "logprobs": None}
        return Answer(counts, {**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    wanted = (body.get("stream_options") or {}).get("include_usage")
    return Answer(counts, chunks=_chat_stream(base, message, reason, usage if wanted else None), headers=_EVENT_STREAM)


def responses(request: Request) -> Answer:
    body, counts = request.body, request.counts()
    tools = [tool["name"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
    item = _output_item(request, tool_call(tools, body.get("input")))
    response = {
        "id": f"resp_{request.unique}",
        "object": "response",
        "created_at": _CREATED,
        "status": "completed",
        "model": _model(body),
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "text": {"format": {"type": "text"}},
        "service_tier": "default",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": counts.input,
            "input_tokens_details": {"cached_tokens": counts.cache_read, "cache_write_tokens": 0},
            "output_tokens": counts.output,
            "output_tokens_details": {"reasoning_tokens": counts.reasoning},
            "total_tokens": counts.input + counts.output,
        },
    }
    if not body.get("stream"):
        return Answer(counts, response)
    return Answer(counts, chunks=_response_stream(response, item), headers=_EVENT_STREAM)


def embeddings(request: Request) -> Answer:
    body, counts = request.body, request.embedded()
    vector: Any = [0.1] * 8
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<8f", *vector)).decode()
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
    usage = {"prompt_tokens": counts.input, "total_tokens": counts.input}
    return Answer(counts, {"object": "list", "data": data, "model": body["model"], "usage": usage})


ROUTES = {"/v1/chat/completions": chat, "/v1/responses": responses, "/v1/embeddings": embeddings}


def _model(body: dict[str, Any]) -> str:
    return _SNAPSHOTS.get(body["model"], body["model"])


def _message(request: Request, tool: tuple[str, dict[str, Any]] | None) -> tuple[dict[str, Any], str]:
    if tool is None:
        return {"role": "assistant", "content": TEXT}, "stop"
    function = {"name": tool[0], "arguments": json.dumps(tool[1])}
    call = {"id": f"call_{request.unique}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def _chat_usage(counts: Counts) -> dict[str, Any]:
    return {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }


def _chat_stream(
    base: dict[str, Any], message: dict[str, Any], reason: str, usage: dict[str, Any] | None
) -> list[bytes]:
    chunk = {**base, "object": "chat.completion.chunk"}
    if message["content"] is None:
        deltas: list[dict[str, Any]] = [{"tool_calls": [{"index": 0, **message["tool_calls"][0]}]}]
    else:
        deltas = [{"content": word} for word in WORDS]
    deltas.insert(0, {"role": "assistant", "content": ""})
    documents = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    documents.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if usage is not None:
        documents = [{**document, "usage": None} for document in documents]
        documents.append({**chunk, "choices": [], "usage": usage})
    return events(documents, done=True)


def _output_item(request: Request, tool: tuple[str, dict[str, Any]] | None) -> dict[str, Any]:
    if tool is None:
        content = [{"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}]
        message = {"type": "message", "id": f"msg_{request.unique}", "status": "completed", "role": "assistant"}
        return {**message, "content": content}
    call = {"type": "function_call", "id": f"fc_{request.unique}", "call_id": f"call_{request.unique}"}
    return {**call, "name": tool[0], "arguments": json.dumps(tool[1]), "status": "completed"}


def _response_stream(response: dict[str, Any], item: dict[str, Any]) -> list[bytes]:
    pending = {**response, "status": "in_progress", "output": [], "usage": None}
    at = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        empty = {**item, "arguments": "", "status": "in_progress"}
        arguments = item["arguments"]
        inner = [
            {"type": "response.function_call_arguments.delta", **at, "delta": arguments},
            {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": arguments},
        ]
    else:
        empty, at = {**item, "content": [], "status": "in_progress"}, {**at, "content_index": 0}
        part = item["content"][0]
        inner = [
            {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
            *({"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in WORDS),
            {"type": "response.output_text.done", **at, "text": TEXT, "logprobs": []},
            {"type": "response.content_part.done", **at, "part": part},
        ]
    documents = [
        {"type": "response.created", "response": pending},
        {"type": "response.in_progress", "response": pending},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        *inner,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    return events(({**document, "sequence_number": n} for n, document in enumerate(documents)), named=True)
