"""A data directory belongs to one process, and says so when it cannot be used."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from privileges import bound_by_permissions

from otel_carbon.errors import StorageError
from otel_carbon.journal import DataDirectory

_HOLD = "import sys; from pathlib import Path; from otel_carbon.journal import DataDirectory as D\n"
_HOLD += "held = D(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
_OPEN = "import sys; from pathlib import Path; from otel_carbon.journal import DataDirectory as D\n"
_OPEN += "try: D(Path(sys.argv[1]))\nexcept Exception as error: print(type(error).__name__, error)"


def test_it_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "a" / "b"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_second_process_is_told_which_one_has_it_and_gets_it_when_that_one_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StorageError, match=rf"is in use by process {holder.pid}; stop that process or choose"):
            DataDirectory(tmp_path)

        holder.kill()
        holder.wait()
    with DataDirectory(tmp_path):
        assert (tmp_path / "lock").read_text(encoding="ascii") == f"{os.getpid()}\n"


def test_a_directory_that_cannot_be_written_is_named_with_the_fix(tmp_path: Path) -> None:
    read_only = tmp_path / "read-only"
    read_only.mkdir()
    read_only.chmod(0o555)

    said = subprocess.run(
        bound_by_permissions([sys.executable, "-c", _OPEN, str(read_only)]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said == (
        f"StorageError data directory {read_only} cannot be written: Permission denied; "
        "make it writable or choose another one with --data-dir\n"
    )


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(StorageError, match="is not a directory; choose another one with --data-dir"):
        DataDirectory(tmp_path / "data")
