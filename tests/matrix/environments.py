"""One environment per set of libraries and SDK, in `.cache/matrix`; exact versions are in locks.jsonl."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from plan import FOLDER, Set, all_sdks

__all__ = ["Lock", "build_wheel", "lock_all", "python_of", "read_locks"]

ROOT = FOLDER.parents[1]
CACHE = ROOT / ".cache" / "matrix"
LOCKS = FOLDER / "locks.jsonl"
UV = Path(sys.executable).parent / "uv"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_PRERELEASES = ("--prerelease", "if-necessary-or-explicit")  # instrumentations have no other releases

Lock = dict[str, Any]
"""`set`, `sdk`, and either `pins` or `refused`, the reason why there is no such environment."""


def read_locks() -> dict[tuple[str, str], Lock]:
    """Return the locks by set and SDK."""
    locks = [json.loads(line) for line in LOCKS.read_text(encoding="utf-8").splitlines()]
    return {(lock["set"], lock["sdk"]): lock for lock in locks}


def lock_all(sets: list[Set]) -> None:
    """Resolve every set on every SDK against the index, and write what came out."""
    locks = read_locks() if LOCKS.exists() else {}
    for one in sets:
        for sdk in one.sdks or all_sdks():
            locks[one.id, sdk] = {"set": one.id, "sdk": sdk, **_resolved(one, sdk)}
            print(one.id, sdk, locks[one.id, sdk].get("refused", "ok"), flush=True)
    LOCKS.write_text("".join(json.dumps(lock) + "\n" for lock in locks.values()), encoding="utf-8")


def python_of(lock: Lock, wheel: Path) -> Path:
    """Return the interpreter of a lock's environment, with this wheel of otel-carbon in it."""
    pins: list[str] = lock["pins"]
    name = hashlib.sha256("\n".join([_PYTHON, *pins]).encode()).hexdigest()[:16]
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    python, stamp = folder / "venv" / "bin" / "python", folder / "complete"
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists():
            _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder / "venv")
            _run(UV, "pip", "install", "--quiet", "--no-deps", "--python", python, *pins)
            stamp.touch()
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if stamp.read_text(encoding="utf-8") != digest:
            _run(UV, "pip", "install", "--quiet", "--no-deps", "--python", python, "--reinstall", wheel)
            stamp.write_text(digest, encoding="utf-8")
    return python


def build_wheel(folder: Path) -> Path:
    """Return a wheel of this tree."""
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _resolved(one: Set, sdk: str) -> dict[str, Any]:
    asked = [*one.requirements, "opentelemetry-exporter-otlp-proto-http", "sqlite-utils"]
    asked += ["opentelemetry-sdk" if sdk in {"newest", "own"} else f"opentelemetry-sdk=={sdk}"]
    if one.launch != "python" and not one.id.startswith("distro-"):
        asked += ["opentelemetry-distro"]
    done = subprocess.run(
        [
            UV,
            "pip",
            "compile",
            "--quiet",
            "--no-annotate",
            "--no-header",
            *_PRERELEASES,
            "--python",
            sys.executable,
            "-",
        ],
        input="\n".join(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return {"refused": _reason(done.stderr)}
    return {"pins": sorted(line for line in done.stdout.splitlines() if "==" in line)}


def _reason(message: str) -> str:
    sentences = " ".join(message.split()).split("because", 1)[-1].split(", we can conclude")[0].split(" and because ")
    return sentences[0].strip()[:200]


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
