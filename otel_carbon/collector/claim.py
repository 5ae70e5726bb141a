"""The claim of one process on a file that it keeps: a second one would undo what the first one writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from otel_carbon.errors import CarbonError

__all__ = ["Claim"]


class Claim:
    """Holds a file, as a context, by a lock beside it. The lock goes with the process, however that ends.

    Raises:
        CarbonError: another process holds it, or nothing can be written in its folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        target = path.resolve()
        self._lock = target.with_name(f".{target.name}.lock")

    def __enter__(self) -> Self:
        """Take it."""
        while not self._is_taken():
            pass  # another process gave it up, and removed its lock, while this one waited to open it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it free."""
        with contextlib.suppress(OSError):
            self._lock.unlink()
        os.close(self._descriptor)

    def _is_taken(self) -> bool:
        try:
            self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CarbonError(f"--output: {self._path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "another one"
            os.close(self._descriptor)
            raise CarbonError(
                f"--output: {self._path} is kept by process {owner} already; end that one, or name another file"
            ) from None
        except OSError:
            return True  # a file system without locks
        try:
            is_same = os.path.samestat(os.fstat(self._descriptor), self._lock.stat())
        except OSError:
            is_same = False
        if is_same:
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        else:
            os.close(self._descriptor)
        return is_same
