"""Texts as a ledger keeps them."""

from __future__ import annotations

__all__ = ["clean"]

_MOST_CHARACTERS = 512


def clean(text: str | None) -> str | None:
    """Return a text that any database and any JSON takes: no NUL, no lone surrogate, not longer than 512 characters."""
    if text is None or (len(text) <= _MOST_CHARACTERS and text.isascii() and text.isprintable()):
        return text
    whole = text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode()
    return whole.replace("\x00", "")
