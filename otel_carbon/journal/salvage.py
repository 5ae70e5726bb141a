"""A damaged journal file is set aside, and everything in it that is as it was written goes into a new one."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from otel_carbon.journal.directory import sync_folder
from otel_carbon.journal.format import Row, connect, cursor_crc32, entry_crc32, storage_error
from otel_carbon.journal.pages import Pages, Record

__all__ = ["SALVAGED", "Salvaged", "finish", "quarantine", "salvage"]

SALVAGED = ""
"""Name of the cursor by which a salvaged file says that cursors of it may be missing."""

_FOLDER = "damaged"
_ENTRY_VALUES, _INDEX_VALUES, _CURSOR_VALUES = 10, 5, 4


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it: entries that were saved, those that are only in the index now, and where the old file is."""

    saved: int
    lost: int
    lost_items: int
    kept_in: Path


@dataclass(slots=True)
class _Contents:
    journal_id: str | None = None
    cursors: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    indexed: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])
    is_ours: bool = False


def salvage(path: Path, reason: Exception) -> Salvaged:
    """Replace the file, which nobody has open, by a new one with what is sound in it.

    A crash in between leaves the old file in place, or the new one complete for `finish`.

    Raises:
        StorageError: `reason`, where nothing tells that the file is a journal; or there is no room for the new one.
    """
    fresh = _beside(path, "salvaging")
    try:
        with ExitStack() as opened:
            views = _views(path, opened)
            contents = _contents(views)
            if not contents.is_ours:
                raise reason
            saved = _write(fresh, views, contents)
        fresh.replace(_beside(path, "salvaged"))
        kept_in = finish(path)
    except (OSError, sqlite3.Error) as error:
        raise storage_error(path, error) from error
    assert kept_in is not None
    floors = _floors(contents)
    lost = [
        items
        for position, (pipeline, items) in contents.indexed.items()
        if position not in saved and position > floors.get(pipeline, -1)
    ]
    return Salvaged(len(saved), len(lost), sum(lost), kept_in)


def finish(path: Path) -> Path | None:
    """Put a salvaged file, where there is one, in the place of the damaged one; return where that is now."""
    salvaged = _beside(path, "salvaged")
    if not salvaged.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept_in = _folder(path) / f"{path.stem}-{stamp}{path.suffix}"
    for suffix in ("-wal", ""):  # the log first: SQLite would take it for that of the new file
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{kept_in}{suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    salvaged.replace(path)
    for folder in (kept_in.parent, path.parent):
        sync_folder(folder)
    return kept_in


def quarantine(path: Path, row: Row) -> Path:
    """Keep the body of a row that is not as it was written in a file of its own; return where.

    Raises:
        OSError: there is no room for it.
    """
    kept_in = _folder(path) / f"{row.position}-{row.signal}.pb"
    kept_in.touch(mode=0o600)
    kept_in.write_bytes(row.body)
    return kept_in


def _views(path: Path, opened: ExitStack) -> list[Pages]:
    """Return the file with its log and without: where one has a damaged page, the other may have it whole."""
    file, size, log = opened.enter_context(path.open("rb")), path.stat().st_size, Path(f"{path}-wal")
    logs = [opened.enter_context(log.open("rb")), None] if log.exists() else [None]
    return [Pages(file, size, each) for each in logs]


def _contents(views: list[Pages]) -> _Contents:
    contents = _Contents()
    for rowid, values in (record for view in views for record in view.records()):
        match values:
            case [str(id_)] if rowid == 1 and _is_uuid(id_):
                contents.journal_id = id_
            case [str(name), int(position), str(pipelines), int(crc32)] if rowid is None:
                if cursor_crc32(name, position, pipelines) == crc32:
                    older = contents.cursors.get(name, (0, ""))
                    contents.cursors[name] = max(older, (position, pipelines))
            case [str(pipeline), int(position), int(items), int(), int()] if rowid is None:
                contents.indexed[position] = (pipeline, items)
            case _:
                if _row(Record(rowid, values)) is not None:
                    contents.is_ours = True
    contents.is_ours |= contents.journal_id is not None or bool(contents.cursors)
    return contents


def _write(fresh: Path, views: list[Pages], contents: _Contents) -> set[int]:
    """Write the new file and return the positions in it. Rows that every reader has are not taken over."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
    floors, saved = _floors(contents), set[int]()
    with closing(connect(fresh, fsync=True, journal_id=contents.journal_id)) as db:
        db.execute("BEGIN IMMEDIATE")
        cursors = [(name, at, names, cursor_crc32(name, at, names)) for name, (at, names) in contents.cursors.items()]
        db.executemany("INSERT INTO cursor VALUES (?, ?, ?, ?)", cursors)
        db.execute("INSERT OR REPLACE INTO cursor VALUES (?, 0, '', ?)", (SALVAGED, cursor_crc32(SALVAGED, 0, "")))
        for row in _rows(views):
            if row.position not in saved and row.position > floors.get(row.pipeline, -1):
                saved.add(row.position)
                db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        head = max([0, *saved, *(position for position, _ in contents.cursors.values())])
        db.execute("DELETE FROM sqlite_sequence")
        db.execute("INSERT INTO sqlite_sequence VALUES ('entry', ?)", (head,))
        db.execute("COMMIT")
    return saved


def _floors(contents: _Contents) -> dict[str, int]:
    """Return, per pipeline, the position that all of its readers have."""
    floors: dict[str, int] = {}
    for position, pipelines in contents.cursors.values():
        for pipeline in pipelines.split():
            floors[pipeline] = min(position, floors.get(pipeline, position))
    return floors


def _rows(views: list[Pages]) -> Iterator[Row]:
    return (row for view in views for record in view.records() if (row := _row(record)) is not None)


def _row(record: Record) -> Row | None:
    """Return a record as the row that it provably is."""
    if record.rowid is None or len(record.values) != _ENTRY_VALUES:
        return None
    match record.values[1:]:  # the first is NULL: the row id stands for it
        case [str(pipeline), str(signal), int(received), int(running), int(items), int(size), int(crc32), tenant, body]:
            if not isinstance(body, bytes) or not isinstance(tenant, str | None):
                return None
            row = Row(record.rowid, pipeline, signal, received, running, items, size, crc32, tenant, body)
            return row if entry_crc32(row[:6], tenant, body) == crc32 else None
        case _:
            return None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _folder(path: Path) -> Path:
    folder = path.parent / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")
