"""Run a child as somebody whom file permissions bind, also where the tests run as root."""

from __future__ import annotations

import ctypes
import os

__all__ = ["bound_by_permissions"]

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def bound_by_permissions() -> None:
    """Give up root's right to write read-only files; for `preexec_fn`."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
