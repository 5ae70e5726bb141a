"""What every application of the matrix uses: it tells when each of its cases began and ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BASE = os.environ["MATRIX_BASE_URL"]
QUESTION = "What is the weather in Paris?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
ALIKE: list[Any] = [{"role": "user", "content": "ALIKE: what is the weather in Paris?"}]
REFUSED: list[Any] = [{"role": "user", "content": "REFUSE"}]


@contextmanager
def case(name: str, *, fails: str = "", settle_s: float = 0.0) -> Iterator[None]:
    """Run one case; `fails` is the name of the exception it has to end with."""
    started, error = time.time_ns(), ""
    try:
        yield
    except Exception as raised:  # noqa: BLE001 - which one it was is the result
        error = type(raised).__name__
        if error != fails:
            error = f"{error}: {raised}"[:300]
    if settle_s:
        time.sleep(settle_s)
    unexpected = "" if error == fails else error or f"no {fails}"
    entry = {"case": name, "started": started, "ended": time.time_ns(), "unexpected": unexpected}
    with Path(os.environ["MATRIX_CASES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def app_span(name: str = "GET /") -> Any:
    """A span of the application, as a web framework makes it."""
    from opentelemetry import trace

    return trace.get_tracer("app").start_as_current_span(name)
