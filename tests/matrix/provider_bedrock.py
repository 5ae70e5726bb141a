"""Converse and ConverseStream as the Bedrock reference describes them: `inputTokens` leaves out what was cached."""

from __future__ import annotations

import binascii
import json
import struct
from typing import Any

from provider_answers import TEXT, WORDS, Answer, Request

REFUSAL = {"message": "Too many requests, please wait before trying again."}
REFUSAL_HEADERS = {"x-amzn-ErrorType": "ThrottlingException"}
_EVENT_STREAM = {"content-type": "application/vnd.amazon.eventstream"}
_STRING = 7


def converse(request: Request) -> Answer:
    counts = request.counts(written=100, reasoning=0)
    usage = {
        "inputTokens": counts.input - counts.cache_read - counts.cache_write,
        "outputTokens": counts.output,
        "totalTokens": counts.input + counts.output,
        "cacheReadInputTokens": counts.cache_read,
        "cacheWriteInputTokens": counts.cache_write,
    }
    metrics = {"latencyMs": 321}
    if request.path["method"] == "converse":
        message = {"role": "assistant", "content": [{"text": TEXT}]}
        document = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": metrics}
        return Answer(counts, document)
    chunks = [
        _event("messageStart", {"role": "assistant"}),
        *(_event("contentBlockDelta", {"delta": {"text": word}, "contentBlockIndex": 0}) for word in WORDS),
        _event("contentBlockStop", {"contentBlockIndex": 0}),
        _event("messageStop", {"stopReason": "end_turn"}),
        _event("metadata", {"usage": usage, "metrics": metrics}),
    ]
    return Answer(counts, chunks=chunks, headers=_EVENT_STREAM)


ROUTES = {"/model/{model}/{method:converse|converse-stream}": converse}


def _event(name: str, payload: dict[str, Any]) -> bytes:
    """Return one message of the encoding `application/vnd.amazon.eventstream`."""
    headers = b"".join(
        bytes([len(key)]) + key.encode() + bytes([_STRING]) + struct.pack(">H", len(value)) + value.encode()
        for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event"))
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    message = prelude + headers + body
    return message + struct.pack(">I", binascii.crc32(message))
