"""How much memory this process has, and may have."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

__all__ = ["give_memory_back", "keep_few_heaps", "resident_bytes", "total_bytes"]

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_M_ARENA_MAX = -8  # of <malloc.h>


def resident_bytes() -> int | None:
    """Return the resident memory of the process; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no /proc here
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def total_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Return the memory that this process may use: of its control group or one around it, or else of the machine."""
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine_bytes, *_limits(cgroups, own)])


def _limits(cgroups: Path, own: Path) -> Iterator[int]:
    """Yield the limits of the control groups that this process is in, of version 1 or 2."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # no control groups here
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base, name = (cgroups / "memory", "memory.limit_in_bytes") if controllers else (cgroups, "memory.max")
        group = PurePosixPath(path)
        for around in (group, *group.parents):  # in a container only the last of them can be seen, and is its own
            with suppress(OSError, ValueError):  # "max" is no number, and no limit
                yield int((base / around.relative_to("/") / name).read_text(encoding="ascii"))


def give_memory_back() -> None:
    """Free what Python no longer needs, and give free pages back to the system, where its C library can do that.

    Without the second step the resident memory would stay where its peak was, whatever is free inside.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_few_heaps() -> None:
    """Let the C library serve all threads from two heaps, where it can; call it before there are threads.

    By default glibc makes eight per core, and each keeps what the largest requests that passed through it have needed.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
