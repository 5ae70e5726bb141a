"""Sizes as people write them: `64MiB`, `2GiB`, `500kB`, or a number of bytes."""

from __future__ import annotations

import re

__all__ = ["size_bytes"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]i?)?B?")
_FACTORS = {None: 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1 << shift for letter, shift in (("k", 10), ("K", 10), ("M", 20), ("G", 30), ("T", 40))
}


def size_bytes(text: str) -> int | None:
    """Return a size in bytes; None when the text is no size."""
    found = _SIZE.fullmatch(text.strip())
    return int(float(found[1]) * _FACTORS[found[2]]) if found else None
