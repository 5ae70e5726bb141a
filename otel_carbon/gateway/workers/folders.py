"""Where the journals of workers are, what else lies there, and which belong to workers that are no longer wanted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from otel_carbon.errors import StorageError
from otel_carbon.journal import DataDirectory

__all__ = ["check_free", "having", "journal_dir", "left_over", "remove"]

_FOLDER = "workers"
_JOURNAL = "journal.db"
_ENDS_WITHIN_S = 3.0
_LOOK_AGAIN_S = 0.05


def journal_dir(data_dir: Path, number: int) -> Path:
    """Return the folder of a worker's journal. The first one has the journal of a gateway without workers."""
    return data_dir if number == 0 else data_dir / _FOLDER / str(number)


async def check_free(data_dir: Path, workers: Iterable[int]) -> None:
    """Check that no other gateway has the folders, so that one line says it, before any worker says it in its own way.

    Workers of a supervisor that was killed end a moment after it: they are waited for.

    Raises:
        StorageError: another gateway has one; or it cannot be written.
    """
    until_s = time.monotonic() + _ENDS_WITHIN_S
    for folder in (journal_dir(data_dir, number) for number in workers):
        while True:
            try:
                DataDirectory(folder).close()
            except StorageError as error:
                if not isinstance(error.__cause__, BlockingIOError) or time.monotonic() >= until_s:
                    raise
            else:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)


def left_over(data_dir: Path, workers: int) -> list[int]:
    """Return the numbers of workers beyond the wanted ones that have a journal: what is in it must be delivered."""
    return [number for number in having(data_dir, _JOURNAL) if number >= max(workers, 1)]


def having(data_dir: Path, name: str) -> dict[int, Path]:
    """Return the files of this name beside the journals, by the number of the worker, lowest first."""
    numbers = sorted(int(it.name) for it in (data_dir / _FOLDER).glob("*") if it.name.isdecimal())
    paths = {number: journal_dir(data_dir, number) / name for number in dict.fromkeys([0, *numbers])}
    return {number: path for number, path in paths.items() if path.exists()}


def remove(data_dir: Path, number: int) -> None:
    """Remove the journal of a worker that has delivered everything. What was put aside as damaged stays."""
    folder = journal_dir(data_dir, number)
    for path in (*folder.glob(f"{_JOURNAL}*"), folder / "lock"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # something of it is kept
        folder.rmdir()
