"""Keep one large request from making all others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["off_loop"]

_LARGE_BYTES = 256 << 10  # what is smaller is done sooner than it is handed to a thread

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(size_bytes: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function, in a thread when the input that it works on is large."""
    if size_bytes < _LARGE_BYTES:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
