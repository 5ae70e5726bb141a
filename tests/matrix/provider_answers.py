"""What the parts of the mock provider have in common: requests, counts, answers, tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["TEXT", "WORDS", "Answer", "Counts", "Request", "events", "tool_call"]

TEXT = "It is sunny in Paris."
WORDS = [f"{word} " for word in TEXT.split(" ")]
_ARGUMENTS = {"get_weather": {"city": "Paris"}}


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens that the provider would bill: input with the cached ones, output with the reasoning ones."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that will be answered. `number` makes its counts its own, `unique` its id."""

    body: dict[str, Any]
    path: Mapping[str, str]
    number: int
    unique: str

    def counts(self, *, cached: int = 400, written: int = 0, reasoning: int = 64) -> Counts:
        return Counts(1200 + written + self.number, 345 + 2 * self.number, cached, written, reasoning)

    def embedded(self) -> Counts:
        return Counts(1200 + self.number)


@dataclass(frozen=True, slots=True)
class Answer:
    """Either a document or the chunks of a stream, and what it cost."""

    truth: Counts
    document: dict[str, Any] | None = None
    chunks: Sequence[bytes] = ()
    headers: dict[str, str] = field(default_factory=dict)


def events(documents: Iterable[Mapping[str, Any]], *, named: bool = False, done: bool = False) -> list[bytes]:
    """Return server-sent events; `named` puts the type of each on a line of its own."""
    chunks = [
        (f"event: {document['type']}\n" if named else "").encode() + f"data: {json.dumps(document)}\n\n".encode()
        for document in documents
    ]
    return [*chunks, b"data: [DONE]\n\n"] if done else chunks


def tool_call(names: Sequence[str], messages: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the first tool with arguments for it, where one is offered and none has answered yet."""
    text = json.dumps(messages)
    answered = any(
        mark in text for mark in ('"role": "tool"', "function_call_output", "tool_result", "toolResult", "Response")
    )
    return None if answered or not names else (names[0], _ARGUMENTS.get(names[0], {}))
