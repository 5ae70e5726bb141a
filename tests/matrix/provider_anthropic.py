"""The Messages API as Anthropic's reference describes it: `input_tokens` leaves out what was cached."""

from __future__ import annotations

import json
from typing import Any

from provider_answers import TEXT, WORDS, Answer, Request, events, tool_call

REFUSAL = {"type": "error", "error": {"type": "rate_limit_error", "message": "Too many requests"}}
REFUSAL_HEADERS = {"retry-after-ms": "1"}
_SNAPSHOTS = {"claude-sonnet-4-5": "claude-sonnet-4-5-20250929"}


def messages(request: Request) -> Answer:
    body, counts = request.body, request.counts(written=100, reasoning=0)
    tool = tool_call([tool["name"] for tool in body.get("tools") or []], body["messages"])
    block: dict[str, Any] = {"type": "text", "text": TEXT}
    if tool is not None:
        block = {"type": "tool_use", "id": f"toolu_{request.unique}", "name": tool[0], "input": tool[1]}
    reason = "end_turn" if tool is None else "tool_use"
    usage = {
        "input_tokens": counts.input - counts.cache_read - counts.cache_write,
        "cache_creation_input_tokens": counts.cache_write,
        "cache_read_input_tokens": counts.cache_read,
        "output_tokens": counts.output,
        "service_tier": "standard",
    }
    message = {
        "id": f"msg_{request.unique}",
        "type": "message",
        "role": "assistant",
        "model": _SNAPSHOTS.get(body["model"], body["model"]),
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }
    if not body.get("stream"):
        return Answer(counts, message)
    return Answer(counts, chunks=_stream(message, block, usage), headers={"content-type": "text/event-stream"})


ROUTES = {"/v1/messages": messages}


def _stream(message: dict[str, Any], block: dict[str, Any], usage: dict[str, Any]) -> list[bytes]:
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    if block["type"] == "text":
        empty = {**block, "text": ""}
        deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": word} for word in WORDS]
    else:
        empty = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    documents = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {k: v for k, v in usage.items() if k != "service_tier"}},
        {"type": "message_stop"},
    ]
    return events(documents, named=True)
