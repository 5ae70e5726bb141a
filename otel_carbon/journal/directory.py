"""The data directory of a gateway, owned by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from otel_carbon.errors import StorageError

__all__ = ["DataDirectory", "sync_folder"]

_LOCK_NAME = "lock"


class DataDirectory:
    """A directory that is locked for this process until `close`. The kernel frees the lock when the process ends.

    Raises:
        StorageError: it cannot be created or written, or another process has it.
    """

    def __init__(self, path: Path, owner_pid: int | None = None) -> None:
        """Lock it. `owner_pid` is the process to stop, to whom another is pointed: this one, if nothing is said."""
        self.path = path
        self._lock: int | None = _locked(path, os.getpid() if owner_pid is None else owner_pid)

    def close(self) -> None:
        """Give the directory free. Safe to call twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the directory free."""
        self.close()


def _locked(path: Path, owner_pid: int) -> int:
    try:
        _make(path)
        lock = os.open(path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(f"data directory {path} is not a directory; choose another one with --data-dir") from error
    except OSError as error:
        raise StorageError(
            f"data directory {path} cannot be written: {error.strerror}; "
            "make it writable or choose another one with --data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_pid(lock, owner_pid)
    except OSError as error:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise _refused(path, error, owner) from error
    return lock


def _make(path: Path) -> None:
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would give those its own, open mode
            sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Let the names in a folder outlive a power cut: syncing a new file promises its bytes, not that it has a name."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_pid(lock: int, pid: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{pid}\n".encode("ascii"), 0)


def _refused(path: Path, error: OSError, owner: str) -> StorageError:
    if isinstance(error, BlockingIOError):
        return StorageError(
            f"data directory {path} is in use by process {owner}; "
            "stop that process or choose another directory with --data-dir"
        )
    return StorageError(f"data directory {path} cannot be written: {error.strerror}; make room or choose another one")
