"""Sizes as people write them: `64MiB`, `2GiB`, `500kB`, or a number of bytes."""

from __future__ import annotations

import re

__all__ = ["size_bytes", "size_text"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]i?)?B?")
_FACTORS = {None: 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1 << shift for letter, shift in (("k", 10), ("K", 10), ("M", 20), ("G", 30), ("T", 40))
}


def size_bytes(text: str) -> int | None:
    """Return a size in bytes; None when the text is no size."""
    found = _SIZE.fullmatch(text.strip())
    return int(float(found[1]) * _FACTORS[found[2]]) if found else None


def size_text(size_bytes: int) -> str:
    """Return a size as one writes it: in the largest unit that holds it exactly."""
    for unit in ("GiB", "MiB", "kiB"):
        if size_bytes and size_bytes % _FACTORS[unit[:2]] == 0:
            return f"{size_bytes // _FACTORS[unit[:2]]}{unit}"
    return f"{size_bytes} bytes" if size_bytes != 1 else "1 byte"
