"""What stands in the place of a value that is content: nothing, or a keyed hash of it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from otel_carbon.spans.structured import structure

__all__ = ["HASH_PREFIX", "Substitute", "canonical", "keyed_hash", "without_texts"]

Substitute = Callable[[Any], str]
"""Returns what is written instead of a value."""

HASH_PREFIX = "hmac-sha256:"

_DEEPEST = 32


def keyed_hash(key: bytes) -> Substitute:
    """Return a substitute of equal texts for equal values: HMAC-SHA-256 under a key, in lower-case hexadecimal.

    Whoever does not have the key can see that two values are equal, and cannot try out what they are.
    """

    def substitute(value: Any) -> str:
        return HASH_PREFIX + hmac.digest(key, canonical(value), "sha256").hex()

    return substitute


def canonical(value: Any) -> bytes:
    """Return the bytes that a value is hashed by.

    A text is its UTF-8 and bytes are themselves. Anything else is JSON with sorted keys and no spaces, so that it does
    not matter how it was encoded; bytes inside it are base64, as in OTLP/JSON.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, bytes):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_base64).encode(
        "utf-8", "replace"
    )


def without_texts(value: Any, kept: Collection[tuple[str, ...]], substitute: Substitute | None) -> Any:
    """Return a structure as JSON without its texts and lists, or with substitutes for them.

    Numbers, booleans and nulls stay, and texts under the `kept` paths. The value itself comes back where there is
    nothing else in it, and None where it is no structure.
    """
    structured = structure(value)
    if not isinstance(structured, Mapping):
        return None
    thinned = _thinned(structured, (), kept, substitute)
    return value if thinned == structured else json.dumps(thinned, separators=(",", ":"))


def _thinned(
    value: Mapping[Any, Any], path: tuple[str, ...], kept: Collection[tuple[str, ...]], substitute: Substitute | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, each in value.items():
        at = (*path, str(key))
        if each is None or isinstance(each, bool | int | float) or (isinstance(each, str) and at in kept):
            found[str(key)] = each
        elif isinstance(each, Mapping) and len(at) < _DEEPEST:
            found[str(key)] = _thinned(each, at, kept, substitute)
        elif substitute is not None:
            found[str(key)] = substitute(each)
    return found


def _as_base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else repr(value)
