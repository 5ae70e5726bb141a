"""What a fork does to those who own a thread and a database connection."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["Forkable", "abandon", "watch_forks"]


class Forkable(Protocol):
    """Is told about every fork of this process, in the thread that forks."""

    def before_fork(self) -> None:
        """Leave every critical section, and stay out until told otherwise."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew: no other thread has survived, and locks may have been copied while held."""
        ...


def watch_forks(owner: Forkable) -> None:
    """Tell this object about forks for as long as it lives."""
    if not _owners.registered and hasattr(os, "register_at_fork"):
        _owners.registered = True
        os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
    _owners.living.add(owner)


def abandon(connection: object) -> None:
    """Keep what a child inherited from being closed: that would release locks that the parent still holds."""
    _owners.abandoned.append(connection)


class _Owners:
    def __init__(self) -> None:
        self.registered = False
        self.abandoned: list[object] = []
        self.living: weakref.WeakSet[Forkable] = weakref.WeakSet()


_owners = _Owners()


def _before() -> None:
    for owner in list(_owners.living):
        owner.before_fork()


def _after_in_parent() -> None:
    for owner in list(_owners.living):
        owner.after_fork_in_parent()


def _after_in_child() -> None:
    for owner in list(_owners.living):
        owner.after_fork_in_child()
