"""Spans of a kind that was read before: a server sees the same few kinds of call over and over.

A `SpanReader` is a function of the keys that it looks at, of the values of some, and of counts, times and the id of an
answer. So two spans with the same keys, and the same text wherever a text decides, are read alike but for the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields
from operator import itemgetter
from typing import Any

from otel_carbon.model import Call, Usage
from otel_carbon.spans.counting import Counting
from otel_carbon.spans.reader import Parent, SpanReader
from otel_carbon.spans.times import latency_s
from otel_carbon.spans.usage import Tokens

__all__ = ["KnownReads"]

# What is remembered comes from outside, so it is bounded, and there is one of these per scope and region.
_REMEMBERED = 256
_MOST_CHARACTERS = 512

# A frozen value takes half the time when its slots are set directly, and what is read here is right by construction.
_new = object.__new__
_OWN = ("usage", "latency_s", "at_unix_nano", "response_id")
_set_usage, _set_latency, _set_at, _set_response_id = (Call.__dict__[name].__set__ for name in _OWN)
_SHARED = tuple((field.name, Call.__dict__[field.name].__set__) for field in fields(Call) if field.name not in _OWN)
_set_uncached, _set_read, _set_write, _set_visible, _set_reasoning = (
    Usage.__dict__[field.name].__set__ for field in fields(Usage)
)

_Deciding = Callable[[Mapping[str, Any]], Hashable]
_Found = Call | Parent | None


class KnownReads:
    """Reads the spans of one scope whose callers run in one place. Returns what `SpanReader.read` does.

    Thread-safe: it has no lock, and every step is one dictionary operation.
    """

    def __init__(self, reader: SpanReader, scope_name: str, resource: Mapping[str, Any]) -> None:
        self._reader = reader
        self._scope_name = scope_name
        self._resource = resource
        self._shapes: dict[Hashable, tuple[_Deciding, dict[Hashable, _Kind]]] = {}
        self._remembered = 0

    def read(
        self, attributes: dict[str, Any], kind: int, failed: bool, started_unix_nano: int, ended_unix_nano: int
    ) -> _Found:
        """Return the call that a span stands for, a parent, or None where it is not GenAI-related."""
        shape = self._shapes.get((kind, failed, *attributes))
        if shape is not None:
            deciding, kinds = shape
            try:
                known = kinds.get(deciding(attributes))
            except TypeError:  # a value that cannot be hashed
                known = None
            if known is not None and None not in attributes.values():  # an empty value is as good as no key
                tokens = known.counting.tokens(attributes)
                if tokens is not None:
                    return known.call(tokens, attributes, started_unix_nano, ended_unix_nano)
        found = self._reader.read(
            attributes,
            scope_name=self._scope_name,
            resource=self._resource,
            kind=kind,
            failed=failed,
            started_unix_nano=started_unix_nano,
            ended_unix_nano=ended_unix_nano,
        )
        if isinstance(found, Call):
            self._learn((kind, failed, *attributes), attributes, found)
        return found

    def _learn(self, key: Hashable, attributes: dict[str, Any], call: Call) -> None:
        counting = self._reader.counting(attributes, self._scope_name, call) if _is_plain(call) else None
        if counting is None or counting.tokens(attributes) is None:
            return
        if self._remembered >= _REMEMBERED:
            self._shapes, self._remembered = {}, 0
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = (_getter(self._reader.deciding(attributes)), {})
            self._remembered += 1
        deciding, kinds = shape
        texts = deciding(attributes)
        if _are_short_texts(texts):
            kinds[texts] = _Kind(call, counting)
            self._remembered += 1


class _Kind:
    """One kind of call: where its counts stand, and what all of its calls share."""

    __slots__ = ("_shared", "counting")

    def __init__(self, call: Call, counting: Counting) -> None:
        self.counting = counting
        self._shared = tuple((set_field, getattr(call, name)) for name, set_field in _SHARED)

    def call(self, tokens: Tokens, attributes: Mapping[str, Any], started_unix_nano: int, ended_unix_nano: int) -> Call:
        usage, call = _new(Usage), _new(Call)
        uncached, read, write, visible, reasoning = tokens
        _set_uncached(usage, uncached)
        _set_read(usage, read)
        _set_write(usage, write)
        _set_visible(usage, visible)
        _set_reasoning(usage, reasoning)
        for set_field, value in self._shared:
            set_field(call, value)
        _set_usage(call, usage)
        _set_latency(call, latency_s(started_unix_nano, ended_unix_nano))
        _set_at(call, started_unix_nano or None)
        _set_response_id(call, self.counting.response_id(attributes))
        return call


def _is_plain(call: Call) -> bool:
    """Return whether nothing beside counts, times and the id of the answer can change from call to call."""
    media = (call.items, call.media_input_tokens, call.media_output_tokens)
    unsettled = call.usage is None or call.usage_alternative is not None or call.media_outside_input
    return not (unsettled or any(each is not None for each in media) or call.guessed or call.continues)


def _are_short_texts(values: Hashable) -> bool:
    if not isinstance(values, tuple) or not all(type(value) is str for value in values):
        return False
    return sum(map(len, values)) <= _MOST_CHARACTERS


def _getter(keys: Iterable[str]) -> _Deciding:
    wanted = tuple(keys)
    if len(wanted) > 1:
        return itemgetter(*wanted)
    return lambda values: tuple(values[key] for key in wanted)
