"""Where every reader of the journal stands, and what follows from it for deletion. In memory, not thread-safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from otel_carbon.journal.store import Floors
from otel_carbon.journal.values import CursorSpec

__all__ = ["Cursors"]


@dataclass(slots=True)
class _Cursor:
    pipelines: frozenset[str]
    position: int
    dirty: bool = False


class Cursors:
    """Positions by cursor name, and the newest position of each pipeline that somebody reads."""

    def __init__(self, specs: Iterable[CursorSpec], positions: Mapping[str, int], newest: Mapping[str, int]) -> None:
        self._cursors = {spec.name: _Cursor(spec.pipelines, positions[spec.name]) for spec in specs}
        pipelines = {pipeline for cursor in self._cursors.values() for pipeline in cursor.pipelines}
        self._newest = {pipeline: newest.get(pipeline, 0) for pipeline in pipelines}
        self._deleted = dict.fromkeys(pipelines, 0)

    def is_read(self, pipeline_id: str) -> bool:
        """Return whether anybody reads the pipeline."""
        return pipeline_id in self._newest

    def pipelines(self, name: str) -> frozenset[str]:
        """Return what a cursor reads."""
        return self._cursors[name].pipelines

    def position(self, name: str) -> int:
        """Return the last position that the reader of a cursor has."""
        return self._cursors[name].position

    def has_unread(self, name: str) -> bool:
        """Return whether there is anything after the cursor."""
        cursor = self._cursors[name]
        return any(self._newest[pipeline] > cursor.position for pipeline in cursor.pipelines)

    def advance(self, name: str, position: int) -> bool:
        """Move a cursor forward; return whether nothing else was waiting to be stored."""
        cursor = self._cursors[name]
        if position <= cursor.position:
            return False
        was_clean = not any(other.dirty for other in self._cursors.values())
        cursor.position = position
        cursor.dirty = True
        return was_clean

    def appended(self, pipeline_id: str, position: int) -> None:
        """Note an entry that is on disk."""
        self._newest[pipeline_id] = position

    def all(self) -> dict[str, tuple[int, frozenset[str]]]:
        """Return position and pipelines of every cursor."""
        return {name: (cursor.position, cursor.pipelines) for name, cursor in self._cursors.items()}

    def take_moved(self) -> dict[str, tuple[int, frozenset[str]]]:
        """Return the cursors whose positions are not stored yet, and regard them as stored."""
        moved = {name: (cursor.position, cursor.pipelines) for name, cursor in self._cursors.items() if cursor.dirty}
        for name in moved:
            self._cursors[name].dirty = False
        return moved

    def put_back(self, moved: Iterable[str]) -> None:
        """Regard positions as not stored after all."""
        for name in moved:
            self._cursors[name].dirty = True

    def floors(self) -> Floors:
        """Return, per pipeline, the positions that every reader has and that are not deleted yet."""
        found: dict[str, tuple[int, int]] = {}
        for pipeline, deleted in self._deleted.items():
            floor = min(c.position for c in self._cursors.values() if pipeline in c.pipelines)
            through = min(floor, self._newest[pipeline])
            if through > deleted:
                found[pipeline] = (deleted, through)
        return found

    def deleted(self, floors: Floors) -> None:
        """Note what has been deleted."""
        self._deleted.update({pipeline: through for pipeline, (_, through) in floors.items()})

    def everybody_has(self, head: int) -> int:
        """Return the position through which nobody has anything left to read."""
        return min((c.position if self.has_unread(name) else head for name, c in self._cursors.items()), default=head)
