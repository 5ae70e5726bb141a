"""The dead letters of all workers, which each keeps beside its own journal."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from otel_carbon.errors import StorageError
from otel_carbon.gateway.workers.folders import having
from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetter, DeadLetters

__all__ = ["HeldLetter", "LetterId", "LettersOfWorkers", "letters_of_workers"]


class LetterId(NamedTuple):
    """What one letter is called: every worker numbers its own, so the number alone could be that of another."""

    worker: int
    number: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what `str` was made of. Raises ValueError when it is something else."""
        worker, slash, number = text.partition("/")
        if not (slash and worker.isdecimal() and number.isdecimal()):
            raise ValueError(f"{text!r} is no WORKER/NUMBER")
        return cls(int(worker), int(number))

    def __str__(self) -> str:
        """Return `worker/number`."""
        return f"{self.worker}/{self.number}"


class HeldLetter(NamedTuple):
    """A letter, and the worker that holds it."""

    worker: int
    letter: DeadLetter

    @property
    def id(self) -> LetterId:
        """Return what it is called among those of all workers."""
        return LetterId(self.worker, self.letter.id)


class LettersOfWorkers:
    """The open stores of a data directory, by worker."""

    def __init__(self, stores: Mapping[int, DeadLetters], unusable: Sequence[StorageError] = ()) -> None:
        self.stores = stores
        self.unusable = unusable
        """Why others of the directory could not be opened."""

    def letters(self, exporter_id: str | None = None) -> Iterator[HeldLetter]:
        """Yield letters, the oldest of all workers first."""
        of_each = (_of_worker(number, store, exporter_id) for number, store in self.stores.items())
        return heapq.merge(*of_each, key=lambda held: held.letter.kept_unix_nano)

    def remove(self, ids: Iterable[LetterId]) -> int:
        """Forget letters and return how many there were."""
        of_each: dict[int, list[int]] = {}
        for id_ in ids:
            of_each.setdefault(id_.worker, []).append(id_.number)
        return sum(self.stores[worker].remove(its) for worker, its in of_each.items() if worker in self.stores)


@contextmanager
def letters_of_workers(data_dir: Path, max_bytes: int) -> Generator[LettersOfWorkers]:
    """Open the stores that there are, and close them: looking makes no file."""
    stores: dict[int, DeadLetters] = {}
    unusable: list[StorageError] = []
    with ExitStack() as opened:
        for worker, path in having(data_dir, DEAD_LETTERS_NAME).items():
            try:
                stores[worker] = opened.enter_context(closing(DeadLetters(path, max_bytes)))
            except StorageError as error:
                unusable.append(error)
        yield LettersOfWorkers(stores, unusable)


def _of_worker(number: int, store: DeadLetters, exporter_id: str | None) -> Iterator[HeldLetter]:
    after = 0
    while letters := store.letters(exporter_id, after):
        yield from (HeldLetter(number, letter) for letter in letters)
        after = letters[-1].id
