"""What a call made that is not text, and which of its tokens are of images, audio or video."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from otel_carbon.model import Call, ItemKind, Items, input_tokens
from otel_carbon.spans.values import count, text

__all__ = ["MADE_BY_ITEM", "MEDIA_FIELDS", "MediaKeys", "with_media"]

_INPUT = ("image_input_tokens", "audio_input_tokens", "video_input_tokens")
_OUTPUT = ("image_output_tokens", "audio_output_tokens")
MEDIA_FIELDS = ("output_type", "item_count", "audio_seconds", *_INPUT, *_OUTPUT)
"""What a dialect names keys for, beside what every call has."""

_KIND_OF = {
    "image_generation": ItemKind.IMAGES,
    "video_generation": ItemKind.VIDEOS,
    "speech": ItemKind.AUDIO_SECONDS,
    "transcription": ItemKind.AUDIO_SECONDS,
}
MADE_BY_ITEM = frozenset(_KIND_OF)
"""Operations whose calls make or hear what is not counted in tokens."""
_OF_ANY_TYPE = frozenset({"chat", "generate_content"})
_MOST_ITEMS = 10_000
_MOST_AUDIO_S = 1e7  # four months

_Get = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class MediaKeys:
    """The keys of one dialect for media: candidates of a field best first, of tokens one field per medium."""

    output_type: tuple[str, ...]
    item_count: tuple[str, ...]
    audio_seconds: tuple[str, ...]
    input_tokens: tuple[tuple[str, ...], ...]
    output_tokens: tuple[tuple[str, ...], ...]
    seen: frozenset[str]
    """Of these at least one is on every span that says anything about media tokens or a type of output."""

    @classmethod
    def of(cls, fields: Mapping[str, tuple[str, ...]]) -> MediaKeys:
        """Return the keys that the fields of a dialect name."""
        tokens = [fields[name] for name in (*_INPUT, *_OUTPUT)]
        return cls(
            fields["output_type"],
            fields["item_count"],
            fields["audio_seconds"],
            tuple(fields[name] for name in _INPUT),
            tuple(fields[name] for name in _OUTPUT),
            frozenset(key for keys in (fields["output_type"], *tokens) for key in keys),
        )


def with_media(call: Call, get: _Get, keys: MediaKeys) -> Call:
    """Return a call with what it made or heard, and with the tokens of images, audio and video named.

    Such tokens are part of the input, as the convention says. A count larger than the input proves that they are not,
    and then both count.
    """
    inside = _tokens(get, keys.input_tokens)
    usage, alternative = call.usage, call.usage_alternative
    if usage is not None and inside is not None and inside > input_tokens(usage):
        usage = replace(usage, uncached_input_tokens=usage.uncached_input_tokens + inside)
        alternative = None  # both readings of the cache were of an input count that is not all of it
    return replace(
        call,
        usage=usage,
        usage_alternative=alternative,
        items=None if call.failed else _items(get, keys, call.operation),
        media_input_tokens=inside,
        media_output_tokens=_tokens(get, keys.output_tokens),
    )


def _items(get: _Get, keys: MediaKeys, operation: str) -> Items | None:
    """Return what a completed call made or heard.

    The conventions give the count only where it is not one, so that a call for images without a count made one.
    Seconds that nobody gives are not known.
    """
    kind = _KIND_OF.get(operation)
    if kind is None and operation in _OF_ANY_TYPE and _first(get, keys.output_type, text) == "image":
        kind = ItemKind.IMAGES
    if kind is None:
        return None
    if kind is ItemKind.AUDIO_SECONDS:
        seconds = _first(get, keys.audio_seconds, _seconds)
        return None if seconds is None else Items(kind, seconds)
    made = _first(get, keys.item_count, count)
    return Items(kind, made if made is not None and 0 < made <= _MOST_ITEMS else 1)


def _tokens(get: _Get, fields: tuple[tuple[str, ...], ...]) -> int | None:
    """Return the tokens of all media together; None where no count is given."""
    found = [tokens for keys in fields if (tokens := _first(get, keys, count)) is not None]
    return sum(found) if found else None


def _first(get: _Get, keys: tuple[str, ...], read: Callable[[Any], Any]) -> Any:
    for key in keys:
        value = get(key)
        if value is not None and (found := read(value)) is not None:
            return found
    return None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = float(value) if abs(value) <= _MOST_AUDIO_S else math.inf
    return seconds if 0.0 < seconds <= _MOST_AUDIO_S else None
