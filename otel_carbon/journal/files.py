"""The open file of a journal: one connection writes, another reads, and both are replaced when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from otel_carbon.errors import StorageError
from otel_carbon.journal.damage import Damage
from otel_carbon.journal.store import Found, Store
from otel_carbon.journal.values import Backlog, ReadLimits

__all__ = ["Files"]

_LOG = logging.getLogger(__name__)


class Files:
    """Any thread may read; only one at a time may use `writer`, `repair` and `reopen`.

    Raises:
        StorageError: the file is foreign, newer, or cannot be opened or read.
    """

    def __init__(self, path: Path, *, fsync: bool) -> None:
        self.damage = Damage(path, fsync=fsync)
        self._path = path
        self._fsync = fsync
        self._reading = threading.Lock()
        self.writer = self.damage.open()
        self.writer.shrink()
        self._reader = Store(path)

    def read(self, position: int, pipelines: Collection[str], limits: ReadLimits) -> Found:
        """Return what follows `position` in these pipelines."""
        with self._reading:
            return self._reader.read(position, pipelines, limits)

    def backlog(self, position: int, pipelines: Collection[str]) -> Backlog:
        """Return how much follows `position` in these pipelines."""
        with self._reading:
            return self._reader.backlog(position, pipelines)

    def repair(self, cursors: Mapping[str, tuple[int, frozenset[str]]], resume: Callable[[Store], None]) -> None:
        """Save what is sound in a file that was found damaged, and go on with it."""
        with self._reading:
            self._reader.close()
            self.writer.close()
            try:
                store = self.damage.open()
                store.set_cursors(cursors)
                self._reader, self.writer = Store(self._path), store
                resume(store)
            except StorageError as error:
                _LOG.error("%s", error)

    def reopen(self, resume: Callable[[Store], None]) -> None:
        """Open the file again to write; where it cannot be, go on with what there is."""
        try:
            store = Store(self._path, fsync=self._fsync)
            resume(store)
        except StorageError:
            return
        self.writer.close()
        self.writer = store

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._reading:
            self._reader.close()
        self.writer.close()
