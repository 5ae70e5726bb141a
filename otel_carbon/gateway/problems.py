"""Everything that is wrong with a config, collected, so that one run shows all of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from otel_carbon.errors import ConfigError

__all__ = ["Problems", "suggestion"]

_KEYS = re.compile(r"([a-z0-9_]+(?:::[A-Za-z0-9_]+)*)(?:: | (?=must |is missing))")


class Problems:
    """A list of `YAML path: what is wrong and how to mend it`."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._unresolved: set[str] = set()

    def add_unresolved(self, path: str, message: str) -> None:
        """Note that nobody knows what stands at a YAML path, so that nothing else can be said of it."""
        self.add(path, message)
        self._unresolved.add(path)

    def add(self, path: str, message: str) -> None:
        """Note a problem at a YAML path; an empty path is the whole file."""
        if path and path in self._unresolved:
            return
        self._found.append(f"{path}: {message}" if path else message)

    def add_error(self, path: str, error: Exception) -> None:
        """Note an error of the part at a YAML path. Where the message begins with a key of the part, it is joined."""
        found = _KEYS.match(str(error))
        if found is None:
            self.add(path, str(error))
        else:
            self.add(_joined(path.split("::"), found[1].split("::")), str(error)[found.end() :])

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


def _joined(path: list[str], keys: list[str]) -> str:
    """Return the path with the keys after it; what ends the one and begins the other stands once."""
    overlap = next(n for n in range(len(keys), -1, -1) if path[len(path) - n :] == keys[:n])
    return "::".join([*path, *keys[overlap:]])
