"""Writing a config that another process reads: the old one or the new one, never half of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from otel_carbon.errors import CarbonError

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> bool:
    """Put a text into a file in one step, on disk when this returns. Returns whether the file was another one before.

    A link stays one, and the permissions of an earlier file stay as they are.

    Raises:
        CarbonError: it cannot be written; then the earlier file is still there.
    """
    data = text.encode()
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a named pipe
            path.write_bytes(data)
            return True
        target = path.resolve()
        if target.exists() and target.read_bytes() == data:
            return False
        _replace(target, data)
    except OSError as error:
        raise CarbonError(f"--output: {path} cannot be written: {error.strerror}") from error
    return True


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
        _sync_directory(target.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _sync_directory(folder: Path) -> None:
    """Have the new name on disk as well."""
    with contextlib.suppress(OSError):  # some file systems know no such thing
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
