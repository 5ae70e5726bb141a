"""The open file of a journal: one connection writes, another reads, and both are replaced when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from otel_carbon.errors import DamagedError, StorageError
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
        """Open the file again, to read as well: a repair that failed has left both connections closed.

        Where it cannot be opened, what there is stays.

        Raises:
            DamagedError: the file needs a repair.
        """
        with ExitStack() as opened:
            try:
                writer = opened.enter_context(closing(Store(self._path, fsync=self._fsync)))
                reader = opened.enter_context(closing(Store(self._path)))
                resume(writer)
            except DamagedError:
                raise
            except StorageError:
                return
            opened.pop_all()
        with self._reading:
            self._reader.close()
            self._reader = reader
        self.writer.close()
        self.writer = writer

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._reading:
            self._reader.close()
        self.writer.close()
