"""Everything that is wrong with a config, collected, so that one run shows all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from otel_carbon.errors import ConfigError

__all__ = ["Problems", "suggestion"]


class Problems:
    """A list of `YAML path: what is wrong and how to mend it`."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, path: str, message: str) -> None:
        """Note a problem at a YAML path; an empty path is the whole file."""
        self._found.append(f"{path}: {message}" if path else message)

    def raise_if_any(self, source: str) -> None:
        """Raise ConfigError with all of them, if there are any."""
        if len(self._found) == 1:
            raise ConfigError(f"{source}: {self._found[0]}")
        if self._found:
            lines = "".join(f"\n  {problem}" for problem in self._found)
            raise ConfigError(f"{source}: {len(self._found)} problems{lines}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}" if names else "none is known here"
