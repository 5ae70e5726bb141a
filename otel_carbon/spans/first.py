"""The first of several attributes that says something: dialects name more than one key for a field."""

from __future__ import annotations

from otel_carbon.spans.emitter import Get
from otel_carbon.spans.values import MAX_TOKENS, count, text

__all__ = ["first_count", "first_text"]


def first_text(get: Get, keys: tuple[str, ...]) -> str | None:
    """Return the first name or id."""
    for key in keys:
        value = get(key)
        if value is not None:
            found = text(value)
            if found is not None:
                return found
    return None


def first_count(get: Get, keys: tuple[str, ...]) -> int | None:
    """Return the first token count."""
    for key in keys:
        value = get(key)
        if value is None:
            continue
        if type(value) is int and 0 <= value <= MAX_TOKENS:  # what almost every emitter writes
            return value
        found = count(value)
        if found is not None:
            return found
    return None
