"""`otel-carbon collector-config --watch` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["WatchProcess", "watching"]


@dataclass
class WatchProcess:
    """The process, and what it logs."""

    process: subprocess.Popen[bytes]
    log_file: Path
    returncode: int | None = None
    """After the end: 0 for a clean stop."""

    def log(self) -> str:
        """Return what was logged so far."""
        return self.log_file.read_text(encoding="utf-8")


@contextmanager
def watching(output: Path, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[WatchProcess]:
    """Keep a config at the newest hours of a CSV trace, looking five times a second, until the block ends.

    Options come after these, and go before them.
    """
    log_file = output.with_name("watch.log")
    command = [sys.executable, "-m", "otel_carbon", "collector-config", "--output", str(output), "--watch"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--interval", "200ms", "--grid-provider", "csv", *options],
            env={**os.environ, **(environ or {})},
            stdout=log,
            stderr=log,
        )
    running = WatchProcess(process, log_file)
    try:
        yield running
    finally:
        process.terminate()
        running.returncode = process.wait(30)
