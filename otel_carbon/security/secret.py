"""Values that must not be shown."""

from __future__ import annotations

from typing import Final, NoReturn
from urllib.parse import urlsplit

__all__ = ["REDACTED", "Secret", "without_password"]

REDACTED: Final = "[REDACTED]"


class Secret:
    """A text that prints as `[REDACTED]`, like the Collector's opaque strings. Only `reveal` gives it out.

    It is no `str`, so that it cannot be joined, encoded or dumped as JSON by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text, for whoever sends it or compares with it."""
        return self._value

    def __str__(self) -> str:
        """Return the mark that stands for every secret."""
        return REDACTED

    __repr__ = __str__

    def __format__(self, _spec: str) -> str:
        """Return the mark, whatever the format."""
        return REDACTED

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: what is pickled is written down."""
        raise TypeError("a secret cannot be pickled")

    def __deepcopy__(self, _memo: object) -> Secret:
        """Return itself, which never changes, so that configs can be copied."""
        return self

    def __eq__(self, other: object) -> bool:
        """Tell whether two configs say the same; tokens of senders are compared elsewhere, in constant time."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        """Return a hash that fits `__eq__`."""
        return hash(self._value)


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without the user and password that it may have."""
    try:
        netloc = urlsplit(url).netloc
    except ValueError:
        return url if "@" not in url else REDACTED
    user, at, _ = netloc.rpartition("@")
    return url.replace(f"{user}{at}", f"{REDACTED}@", 1) if at else url
