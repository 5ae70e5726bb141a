"""An environment with one SDK version and otel-carbon from this tree.

    python tests/sdk_matrix/environment.py 1.39.1     # prints its python

Environments stay in `.cache/sdk_matrix`, so only the first run downloads.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "sdk_matrix"
UV = Path(sys.executable).parent / "uv"


def python_of(sdk: str, wheel: Path) -> Path:
    """Return the interpreter of the environment for an SDK version (or `newest`), with this wheel installed."""
    folder = CACHE / f"{sdk}-py{sys.version_info.major}{sys.version_info.minor}"
    folder.mkdir(parents=True, exist_ok=True)
    python, stamp = folder / "venv" / "bin" / "python", folder / "complete"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder / "venv")
            _run(UV, "pip", "install", "--quiet", "--python", python, *_requirements(sdk))
            stamp.touch()
        _run(UV, "pip", "install", "--quiet", "--python", python, "--reinstall-package", "otel-carbon", wheel)
    return python


def build_wheel(folder: Path) -> Path:
    """Return a wheel of this tree."""
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    return next(folder.glob("*.whl"))


def _requirements(sdk: str) -> list[str]:
    if sdk == "newest":
        return ["opentelemetry-sdk", "opentelemetry-distro"]
    _, minor, patch = sdk.split(".")
    return [f"opentelemetry-sdk=={sdk}", f"opentelemetry-distro==0.{int(minor) + 21}b{patch}"]


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(python_of(sys.argv[1], build_wheel(CACHE / "dist")))
