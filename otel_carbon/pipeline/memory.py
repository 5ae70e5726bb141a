"""How much memory this process has, and may have."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["give_memory_back", "resident_bytes", "total_bytes"]

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def resident_bytes() -> int | None:
    """Return the resident memory of the process; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no /proc here
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def total_bytes(cgroup_limits: tuple[str, ...] = _CGROUP_LIMITS) -> int:
    """Return the memory that this process may use: that of its control group, or else of the machine."""
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in cgroup_limits:
        with suppress(OSError, ValueError):  # not this version of control groups, or "max"
            return min(int(Path(path).read_text(encoding="ascii")), machine_bytes)
    return machine_bytes


def give_memory_back() -> None:
    """Free what Python no longer needs, and give free pages back to the system, where its C library can do that.

    Without the second step the resident memory would stay where its peak was, whatever is free inside.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
