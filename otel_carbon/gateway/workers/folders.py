"""Where the journals of workers are, what else lies there, and which belong to workers that are no longer wanted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["having", "journal_dir", "left_over", "remove"]

_FOLDER = "workers"
_JOURNAL = "journal.db"


def journal_dir(data_dir: Path, number: int) -> Path:
    """Return the folder of a worker's journal. The first one has the journal of a gateway without workers."""
    return data_dir if number == 0 else data_dir / _FOLDER / str(number)


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
