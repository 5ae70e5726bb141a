"""Which spans were seen already, in bounded memory."""

from __future__ import annotations

__all__ = ["SpanMemo"]


class SpanMemo:
    """Remembers at least the last `capacity` spans and at most twice as many, by their keys.

    Two sets instead of an ordered one: when the young one is full, the old one is forgotten as a whole.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def add(self, key: bytes) -> bool:
        """Remember a span; False when it is remembered already."""
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
        self._young.add(key)
        return True
