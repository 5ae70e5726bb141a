"""Attributes that hold a structure: JSON, the text of a Python dict, or a map. Never raises, whatever they hold."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["SEPARATOR", "StructuredAttributes", "base_key", "nested_paths"]

SEPARATOR = "::"
"""Between an attribute and the path inside it: `langfuse.observation.usage_details::input_tokens_details.cached`."""

_LONGEST = 65_536  # characters; usage is a few hundred, and a parser must not spend its time on an answer
_LONGEST_PYTHON = 8_192
_DEEPEST_PYTHON = 16
_LONGEST_REMEMBERED = 512
_REMEMBERED = 512

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NO_PATHS: Mapping[str, tuple[str, tuple[str, ...]]] = {}


def base_key(key: str) -> str:
    """Return the attribute that a candidate key looks at."""
    return key.partition(SEPARATOR)[0]


def nested_paths(keys: Sequence[str]) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return the attribute and the path of every candidate key that looks inside one."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for key in keys:
        base, separator, path = key.partition(SEPARATOR)
        if separator:
            found[key] = (base, tuple(path.split(".")) if path else ())
    return found or _NO_PATHS


class StructuredAttributes:
    """The attributes of one span, looked at by candidate keys. An attribute is parsed when it is first looked into."""

    __slots__ = ("_attributes", "_parsed", "_paths")

    def __init__(self, attributes: Mapping[str, Any], paths: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
        self._attributes = attributes
        self._paths = paths
        self._parsed: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        nested = self._paths.get(key)
        if nested is None:
            return self._attributes.get(key)
        base, path = nested
        if base not in self._parsed:
            raw = self._attributes.get(base)
            self._parsed[base] = None if raw is None else structure(raw)
        return _inside(self._parsed[base], path)


def structure(value: Any) -> Any:
    """Return what a text stands for: what JSON says, else what a Python literal says, else None.

    What is no text is returned as it is: a map can arrive as one.
    """
    if not isinstance(value, str):
        return value
    return _remembered(value) if len(value) <= _LONGEST_REMEMBERED else _parsed(value)


def _parsed(written: str) -> Any:
    if len(written) > _LONGEST:
        return None
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return _python_literal(written)


# Settings of a request are the same from call to call. Nothing changes what comes out of here.
_remembered = lru_cache(_REMEMBERED)(_parsed)


def _python_literal(written: str) -> Any:
    if not written.startswith(("{", "[", "(")) or len(written) > _LONGEST_PYTHON or _depth(written) > _DEEPEST_PYTHON:
        return None
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _depth(written: str) -> int:
    """Return how deep brackets are nested, those in texts included: the compiler's stack is what has to be spared."""
    depth = deepest = 0
    for character in written:
        if character in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif character in _CLOSING:
            depth -= 1
    return deepest


def _inside(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value
