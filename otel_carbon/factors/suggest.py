"""Help for a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean"]

_LISTED_AT_MOST = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a half sentence that names the nearest known names, or all where they are few."""
    import difflib  # noqa: PLC0415 - only a mistake needs it, and start-up must be light

    names = sorted(known)
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word[:64].lower(), by_lower, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(by_lower[name]) for name in near) + "?"
    if len(names) <= _LISTED_AT_MOST:
        return f"known are {', '.join(names)}"
    return f"{len(names)} names are known, none is similar"
