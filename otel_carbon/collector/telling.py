"""Telling a running Collector that its config is another one: SIGHUP to its process, or a command of the user's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.errors import CarbonError, ConfigError

__all__ = ["Telling"]

_COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told, and how. With none of the three nobody is.

    Raises:
        ConfigError: the process id or the command cannot be one.
    """

    pid: int | None = None
    pid_file: Path | None = None
    """Read anew each time, since a Collector that was started again has another id."""
    command: str | None = None
    """Run without a shell."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is written."""
        if self.pid is not None and self.pid < 1:
            raise ConfigError(f"--pid must be the id of a process, not {self.pid}")
        try:
            words = None if self.command is None else shlex.split(self.command)
        except ValueError as error:
            raise ConfigError(f"--on-change: {self.command!r} is not a command: {error}") from None
        if words == []:
            raise ConfigError("--on-change: the command is empty")

    def tell(self) -> str:
        """Tell, and return what was done, for a log.

        Raises:
            CarbonError: it could not be done; the message names the option and the fix.
        """
        done: list[str] = []
        if self.pid is not None:
            done.append(_send_sighup(self.pid, "--pid"))
        if self.pid_file is not None:
            done.append(_send_sighup(_pid_in(self.pid_file), f"--pid-file: {self.pid_file}"))
        if self.command is not None:
            done.append(_run(self.command))
        return ", ".join(done)


def _pid_in(path: Path) -> int:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CarbonError(f"--pid-file: {path} cannot be read, is the Collector running?: {error}") from error
    if not text.isdecimal() or int(text) < 1:
        raise CarbonError(f"--pid-file: {path} must hold the id of a process, not {text[:40]!r}")
    return int(text)


def _send_sighup(pid: int, option: str) -> str:
    if not _handles_sighup(pid):
        # An id that was given to another program meanwhile: SIGHUP would end it.
        raise CarbonError(f"{option}: process {pid} has no handler for SIGHUP, so it is not the Collector")
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        hint = "is the Collector running? --pid-file follows one that starts again"
        raise CarbonError(f"{option}: there is no process {pid}; {hint}") from None
    except OSError as error:
        raise CarbonError(f"{option}: process {pid} cannot be sent SIGHUP: {error.strerror}") from error
    return f"SIGHUP sent to {pid}"


def _handles_sighup(pid: int) -> bool:
    """Return whether a process catches SIGHUP; True where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), None)
    return caught is None or bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)


def _run(command: str) -> str:
    try:
        ended = subprocess.run(shlex.split(command), timeout=_COMMAND_S, check=False)  # noqa: S603 - the user's own
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CarbonError(f"--on-change: {command!r} did not work: {error}") from error
    if ended.returncode:
        raise CarbonError(f"--on-change: {command!r} ended with status {ended.returncode}")
    return f"{command!r} has run"
