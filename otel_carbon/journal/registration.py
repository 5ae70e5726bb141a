"""Where every reader begins, by what the file says of those that were there before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from otel_carbon.journal.salvage import SALVAGED
from otel_carbon.journal.store import Store
from otel_carbon.journal.values import CursorSpec, Dropped

__all__ = ["Registration", "registered"]


class Registration(NamedTuple):
    """The position of every cursor, the one that numbering goes on from, and the cursors of readers that are gone."""

    positions: dict[str, int]
    head: int
    dropped: list[Dropped]


def registered(store: Store, specs: Collection[CursorSpec], head: int) -> Registration:
    """Store who reads from now on, and return where each of them begins.

    A new cursor starts at the end: what others hold arrived before it. One that keeps its own position resumes there;
    where that is ahead of this file (an older copy was put back), numbering goes on from it.
    """
    stored = store.cursors()
    # Of a damaged file, a cursor may be gone that stood before what was saved: rather twice than never.
    end = head if stored.pop(SALVAGED, None) is None else 0
    positions = {spec.name: _start(spec, stored, end) for spec in specs}
    dropped = [
        Dropped(name, store.backlog(position, pipelines).payloads)
        for name, (position, pipelines) in stored.items()
        if name not in positions
    ]
    store.set_cursors({spec.name: (positions[spec.name], spec.pipelines) for spec in specs})
    return Registration(positions, max([head, *(spec.resume or 0 for spec in specs)]), dropped)


def _start(spec: CursorSpec, stored: Mapping[str, tuple[int, frozenset[str]]], end: int) -> int:
    if spec.resume is not None:
        return spec.resume
    return stored[spec.name][0] if spec.name in stored else end
