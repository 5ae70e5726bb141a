"""Where the journals of workers are, and which of them belong to workers that are no longer wanted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["journal_dir", "left_over", "remove"]

_FOLDER = "workers"
_JOURNAL = "journal.db"


def journal_dir(data_dir: Path, number: int) -> Path:
    """Return the folder of a worker's journal. The first one has the journal of a gateway without workers."""
    return data_dir if number == 0 else data_dir / _FOLDER / str(number)


def left_over(data_dir: Path, workers: int) -> list[int]:
    """Return the numbers of workers beyond the wanted ones that have a journal: what is in it must be delivered."""
    found = [folder for folder in (data_dir / _FOLDER).glob("*") if (folder / _JOURNAL).exists()]
    return sorted(int(folder.name) for folder in found if folder.name.isdecimal() and int(folder.name) >= workers)


def remove(data_dir: Path, number: int) -> None:
    """Remove the journal of a worker that has delivered everything. What was put aside as damaged stays."""
    folder = journal_dir(data_dir, number)
    for path in (*folder.glob(f"{_JOURNAL}*"), folder / "lock"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # something of it is kept
        folder.rmdir()
