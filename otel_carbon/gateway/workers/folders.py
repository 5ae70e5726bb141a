"""Where the journals of workers are, and which of them belong to workers that are no longer wanted."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["journal_dir", "left_over", "remove"]

_FOLDER = "workers"


def journal_dir(data_dir: Path, number: int) -> Path:
    """Return the folder of a worker's journal. The first one has the journal of a gateway without workers."""
    return data_dir if number == 0 else data_dir / _FOLDER / str(number)


def left_over(data_dir: Path, workers: int) -> list[int]:
    """Return the numbers of workers beyond the wanted ones that have a journal: what is in it must be delivered."""
    found = [int(folder.name) for folder in (data_dir / _FOLDER).glob("*") if folder.name.isdecimal()]
    return sorted(number for number in found if number >= workers)


def remove(data_dir: Path, number: int) -> None:
    """Remove the folder of a worker that has delivered everything."""
    if number:
        shutil.rmtree(journal_dir(data_dir, number), ignore_errors=True)
