"""What is found damaged in a journal file: named, kept for whoever wants to look at it, and out of the way."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from otel_carbon.errors import DamagedError
from otel_carbon.journal.format import Row
from otel_carbon.journal.salvage import finish, quarantine, salvage
from otel_carbon.journal.store import Store

__all__ = ["Damage"]

_LOG = logging.getLogger(__name__)


class Damage:
    """The damage of one journal since its gateway started, and the only way to open its file for writing."""

    def __init__(self, path: Path, *, fsync: bool) -> None:
        self.payloads = 0
        """Payloads that not every reader will get."""
        self.items = 0
        """Spans, data points and log records in them."""
        self.kept_in: list[str] = []
        """Where the damaged rows and files are now."""
        self._path = path
        self._fsync = fsync
        self._skipped: set[int] = set()

    def open(self) -> Store:
        """Open the file, and save what is sound in it where it is damaged. Nobody else may have it open.

        Raises:
            StorageError: it cannot be opened, or nothing tells that it is a journal.
        """
        finish(self._path)
        try:
            return self._checked()
        except DamagedError as error:
            self._salvage(error)
        return self._checked()

    def skip(self, rows: Iterable[Row]) -> None:
        """Set rows aside that are not as they were written."""
        for row in rows:
            if row.position in self._skipped:
                continue
            self._skipped.add(row.position)
            self.payloads += 1
            self.items += row.items
            _LOG.error(
                "journal %s: entry %d (%d items of %s, pipeline %s) is damaged and will not be delivered; kept in %s",
                *(self._path, row.position, row.items, row.signal, row.pipeline, self._kept(row)),
            )

    def _checked(self) -> Store:
        store = Store(self._path, fsync=self._fsync)
        try:
            store.check()
        except DamagedError:
            store.close()
            raise
        return store

    def _salvage(self, error: DamagedError) -> None:
        salvaged = salvage(self._path, error)
        self.payloads += salvaged.lost
        self.items += salvaged.lost_items
        self.kept_in.append(str(salvaged.kept_in))
        _LOG.error(
            "%s; %d undelivered payloads were saved into a new file, %d with %d items were not; the old one is %s",
            *(str(error).partition(";")[0], salvaged.saved, salvaged.lost, salvaged.lost_items, salvaged.kept_in),
        )

    def _kept(self, row: Row) -> str:
        try:
            kept_in = str(quarantine(self._path, row))
        except OSError as error:
            return f"no file ({error.strerror})"
        self.kept_in.append(kept_in)
        return kept_in
