"""Attribute values of a foreign process, made safe: a count, a text or a host, or None."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["MAX_TEXT", "MAX_TOKENS", "count", "host", "text"]

MAX_TOKENS = 10**12
"""A larger count cannot be real: it is a thousand times what the largest context of the field holds in all calls of a
day."""
MAX_TEXT = 512
"""Names and ids are cut to this many characters, so that no attribute can fill a ledger."""

_MAX_NUMERAL = 32


def count(value: Any) -> int | None:
    """Return a token count, or None where the value cannot be one (negative, NaN, too large, no number)."""
    if isinstance(value, int):
        return value if 0 <= value <= MAX_TOKENS and not isinstance(value, bool) else None
    if isinstance(value, str):
        return _count_from_numeral(value)
    if isinstance(value, float):
        # NaN fails both comparisons.
        return round(value) if 0 <= value <= MAX_TOKENS else None
    return None


def text(value: Any) -> str | None:
    """Return a name or an id without surrounding blanks and unprintable characters, or None where nothing is left."""
    if not isinstance(value, str):
        return None
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]
    value = value.strip()
    if not value.isprintable():
        # Lone surrogates cannot be stored as UTF-8, NUL cannot be stored in PostgreSQL: neither is printable.
        value = "".join(character for character in value if character.isprintable()).strip()
    return value or None


def host(value: Any) -> str | None:
    """Return the host of a host name, `host:port` or URL, in lower case."""
    name = text(value)
    if name is None:
        return None
    name = name.rpartition("://")[2].partition("/")[0].rpartition("@")[2].lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name or None


def _count_from_numeral(numeral: str) -> int | None:
    # float() also takes underscores and non-ASCII digits, which no emitter writes on purpose.
    if len(numeral) > _MAX_NUMERAL or not numeral.isascii() or "_" in numeral:
        return None
    try:
        value = float(numeral)
    except ValueError:
        return None
    return count(value) if math.isfinite(value) else None
