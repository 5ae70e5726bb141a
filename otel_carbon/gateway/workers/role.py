"""What a supervisor tells a process that it starts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WorkerRole"]


@dataclass(frozen=True, slots=True)
class WorkerRole:
    """Which worker a process is, as one argument: `2:17:18`, or `2:17:18:drain`."""

    number: int
    link_fd: int
    """File descriptor of the socket for questions and answers."""
    tell_fd: int
    """That of the socket for what is told without an answer."""
    only_drains: bool = False
    """Whether it takes nothing, delivers what its journal has, and ends."""

    @classmethod
    def of(cls, text: str) -> WorkerRole:
        """Return what `str` was made of."""
        number, link_fd, tell_fd, *drain = text.split(":")
        return cls(int(number), int(link_fd), int(tell_fd), bool(drain))

    def __str__(self) -> str:
        """Return the argument."""
        return f"{self.number}:{self.link_fd}:{self.tell_fd}{':drain' if self.only_drains else ''}"
