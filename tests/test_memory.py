"""How the C library of a gateway spreads its threads over heaps, as glibc itself tells."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

_HEAPS = """
import ctypes, sys, threading
from otel_carbon.pipeline.memory import keep_few_heaps
if "few" in sys.argv:
    keep_few_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_there = threading.Barrier(8)
def work():
    libc.malloc(1000)
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
def test_the_threads_of_a_gateway_share_two_heaps() -> None:
    assert _heaps("few") == 2
    assert _heaps("many") > 2


def _heaps(how_many: str) -> int:
    said = subprocess.run([sys.executable, "-c", _HEAPS, how_many], capture_output=True, text=True, check=True).stdout
    return len(re.findall("<heap nr=", said))
