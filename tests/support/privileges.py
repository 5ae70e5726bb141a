"""Run a program as somebody whom file permissions bind, also where the tests run as root."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

__all__ = ["bound_by_permissions"]

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def bound_by_permissions(command: Sequence[str]) -> list[str]:
    """Return a command that runs this one without root's right to pass over permissions.

    Not by `preexec_fn`: that forks a process in which threads of gRPC may run, and the child then logs their trouble.
    """
    return [sys.executable, __file__, *command]


if __name__ == "__main__":
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execv(sys.argv[1], sys.argv[1:])
