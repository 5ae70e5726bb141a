"""Ports for programs that have to be told theirs: nothing listens there, and nothing else will by chance.

What binds to port 0, and every connection that goes out, gets a port of the ephemeral range. A port of that range,
found free and let go again, can be taken before the program has it. So these are below it, at random and given once.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ["free_addresses", "free_port"]

_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ALWAYS_EPHEMERAL = 32_768
_given: set[int] = set()
_chance = random.SystemRandom()  # processes of one test run have other numbers, whatever seeds `random`


def free_addresses(count: int) -> list[str]:
    """Return hosts and ports, all different, that nothing listens on."""
    return [f"127.0.0.1:{free_port()}" for _ in range(count)]


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    while True:
        port = _chance.randrange(_LOWEST, _highest())
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _highest() -> int:
    try:
        return max(_LOWEST + 1000, int(_EPHEMERAL.read_text("ascii").split()[0]))
    except OSError:  # another system than Linux
        return _ALWAYS_EPHEMERAL


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
