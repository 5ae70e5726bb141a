"""The real gateway as a child process: start, kill, stop, and look at what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from privileges import bound_by_permissions

__all__ = ["GatewayProcess", "run_cli"]

_ENDS_WITHIN_S = 30.0


class GatewayProcess:
    """`otel-carbon serve` on free ports, ready when the constructor returns, unless it shall not `wait`."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        addresses: Sequence[str] = ("grpc", "http", "web"),
        environ: dict[str, str] | None = None,
        wait: bool = True,
    ) -> None:
        listen = [part for name in addresses for part in (f"--{name}", "127.0.0.1:0")]
        self.log_path = data_dir.with_suffix(".log")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "otel_carbon", "serve", "--data-dir", str(data_dir), *listen, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environ or {})},
            )
        self.ready: dict[str, Any] = self._ready() if wait else {}

    def log(self) -> str:
        """Return what all gateways of this data directory have logged."""
        return self.log_path.read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """Ask it to drain and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()

    def _ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        found: dict[str, Any] = json.loads(line)
        return found

    def _reap(self) -> int:
        assert self.process.stdout is not None
        code = self.process.wait(_ENDS_WITHIN_S)
        self.process.stdout.close()
        return code


def run_cli(
    *arguments: str, bound: bool = False, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `otel-carbon` with these arguments to its end; `bound` by permissions even if root runs it."""
    command = [sys.executable, "-m", "otel_carbon", *arguments]
    return subprocess.run(
        bound_by_permissions(command) if bound else command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environ or {})},
    )
