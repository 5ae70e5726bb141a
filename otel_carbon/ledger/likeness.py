"""What a span is compared by, as it is stored: keys to find it by, and a text where no line has its counts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from otel_carbon.ledger.columns import GUESS
from otel_carbon.model import Usage
from otel_carbon.spans.one_call import CallSpan, Counts, counts_of, model_stem

__all__ = ["compared_text", "from_line", "from_text", "response_key", "twin_key"]

_Compared = tuple[str | None, frozenset[str], Counts | None, bool]
"""Service, models, counts, and whether the emitter guessed."""


def response_key(tenant: str, response_id: str) -> int:
    """Return a hash of a response id, because ids are long and random; whoever looks up compares the id itself."""
    return zlib.crc32(f"{tenant}\0{response_id}".encode())


def twin_key(tenant: str, service: str | None, input_tokens: int | None) -> int:
    """Return what a span has in common with one that looks like it: its input tokens, else its service."""
    if input_tokens is None:
        return zlib.crc32(f"{tenant}\0{service or ''}\0".encode("utf-8", "replace"))
    return zlib.crc32(f"{tenant}\0{input_tokens}".encode())


def compared_text(span: CallSpan) -> str:
    """Return service, models, counts and whether they are a guess, of a span that has no line, as JSON."""
    counts = span.counts
    numbers = None
    if counts is not None:
        numbers = [
            counts.input_tokens,
            counts.uncached_input_tokens,
            counts.output_tokens,
            counts.visible_output_tokens,
            counts.kinds,
        ]
    return json.dumps([span.service, sorted(span.models), numbers, span.guessed], separators=(",", ":"))


def from_text(text: str) -> _Compared:
    """Return what `compared_text` was made of."""
    service, models, numbers, guessed = json.loads(text)
    return service, frozenset(models), None if numbers is None else Counts(*numbers), guessed


def from_line(columns: Sequence[Any], *, has_usage: bool) -> _Compared:
    """Return the same of the columns of a line: service, model, request model, data tier and five counts of tokens."""
    service, model, request_model, data_tier, given, cache_read, cache_write, made, reasoning = columns
    counts, guessed = None, data_tier == GUESS
    if has_usage and not guessed:
        read, write, thought = cache_read or 0, cache_write or 0, reasoning or 0
        usage = Usage(max((given or 0) - read - write, 0), read, write, max((made or 0) - thought, 0), thought)
        counts = counts_of(usage)
    return service, frozenset(model_stem(name) for name in (model, request_model) if name), counts, guessed
