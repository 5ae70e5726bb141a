"""Node.js projects of the repository, installed and run outside of the tree, and the browser beside them."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["browsing", "installed", "run", "serving"]

_ROOT = Path(__file__).parents[2]
_LISTENS = re.compile(r"Local:\s+http://[^:\s]+:(\d+)")


@functools.cache
def installed(folder: str) -> Path:
    """Copy a project into `.cache` and install what its lock file names there; the test fails without Node.js."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.fail(
            "this test needs Node.js 20.9 or newer with npm: https://nodejs.org, or apt-get install -y nodejs npm"
        )
    source, copy = _ROOT / folder, _ROOT / ".cache" / folder
    _renew(source, copy)
    lock, mark = copy / "package-lock.json", copy / "node_modules" / ".installed"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], copy)
        mark.write_bytes(lock.read_bytes())  # only when all of it is there
    return copy


def _renew(source: Path, copy: Path) -> None:
    """Make the copy equal to the source, but for what was installed and built there."""
    kept = {"node_modules", ".next"}
    for old in copy.glob("*"):
        if old.name not in kept:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*kept))


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; the test fails with its output when it does."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environ or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def serving(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a server that prints `Local: http://…:PORT`, and give its URL."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := _LISTENS.search(line):
                    break
            else:
                log.seek(0)
                pytest.fail(f"{' '.join(command)} ended\n{log.read()}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.communicate(timeout=30)


@contextmanager
def browsing(script: str, url: str) -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """Open a URL in a real browser by a script of `tests/e2e/browser`, and give what sends it a line of JSON each."""
    folder = installed("tests/e2e/browser")
    process = subprocess.Popen(
        ["node", script, url],
        cwd=folder,
        env={**os.environ, "CHROMIUM": _chromium()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def tell(message: Mapping[str, Any]) -> Any:
        stdin.write(json.dumps(message) + "\n")
        answer = stdout.readline()
        assert answer, f"{script} ended; what it said is on stderr"
        return json.loads(answer)

    try:
        yield tell
    finally:
        process.communicate(timeout=30)


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.fail("this test needs a browser: apt-get install -y chromium")
