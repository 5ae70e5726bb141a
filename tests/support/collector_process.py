"""A real OpenTelemetry Collector as a process beside the test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["running_collector", "written"]

_WAITS = 300


@contextmanager
def running_collector(
    otelcol: Path,
    log: Path,
    *arguments: str | Path,
    listens: str,
    environ: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Collector with these arguments until the block ends, from when it listens on an address."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [otelcol, *arguments], env={**os.environ, **(environ or {})}, stdout=file, stderr=file
        )
    try:
        _wait_until_listening(listens, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def written(file: Path) -> list[dict[str, Any]]:
    """Return what its `file` exporter has written, a request in a line; the last line may not be complete yet."""
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n") if file.exists() else ("", "", "")
    return list(map(json.loads, whole.splitlines()))


def _wait_until_listening(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.rpartition(":")
    for _ in range(_WAITS):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))
