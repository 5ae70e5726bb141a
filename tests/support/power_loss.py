"""What a disk holds after the power has failed, from a trace of everything that was done to it.

POSIX promises what was synced and nothing else: a name by its folder, bytes by their file. Of the rest, the disk may
have written any sectors, in any order, or none.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

__all__ = ["Disk", "Event", "build_recorder", "compiler", "events"]

WRITE, TRUNCATE, SYNC_BEGINS, SYNC_ENDS, CREATE, UNLINK, RENAME, MAKE_FOLDER = range(1, 9)
_HEAD = struct.Struct("<4Q")
_SECTOR_BYTES = 512
_SOURCE = Path(__file__).parent / "writes.c"


def compiler() -> str | None:
    """Return the C compiler of this machine."""
    return shutil.which("cc")


def build_recorder(folder: Path) -> Path:
    """Compile the library that writes the trace."""
    library = folder / "writes.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
    return library


class Event(NamedTuple):
    """One record of the trace, which ends at `end`."""

    kind: int
    inode: int
    offset: int
    data: bytes
    end: int


def events(trace: Path) -> Iterator[Event]:
    """Yield what is in a trace."""
    with trace.open("rb") as file:
        while head := file.read(_HEAD.size):
            kind, inode, offset, length = _HEAD.unpack(head)
            yield Event(kind, inode, offset, file.read(length), file.tell())


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: deque[Event] = field(default_factory=deque[Event])
    promised: deque[int] = field(default_factory=deque[int])
    """For every sync that has begun, how many changes there had been by then."""
    changes: int = 0


class Disk:
    """Files below a folder, as they are for certain, and the changes of which nobody knows."""

    def __init__(self, root: Path) -> None:
        self._folders = {root.stat().st_ino: str(root)}
        self._names: dict[str, int] = {}
        self._durable_names: dict[str, int] = {}
        self._files: dict[int, _File] = {}

    def apply(self, event: Event) -> None:
        """Let an event happen."""
        kind, inode, _, data, _ = event
        if kind in {WRITE, TRUNCATE}:
            file = self._files.setdefault(inode, _File())
            file.pending.append(event)
            file.changes += 1
        elif kind == SYNC_BEGINS:
            file = self._files.setdefault(inode, _File())
            file.promised.append(file.changes)
        elif kind == SYNC_ENDS:
            self._synced(inode)
        else:
            self._renamed(kind, inode, data.decode())

    def after_power_loss(self, to: Path, chance: Random, survives: float) -> None:
        """Write what is left; every sector that was not synced is there with the probability `survives`."""
        for name, inode in self._durable_names.items():
            if inode in self._folders or not self._is_reachable(name):
                continue
            file = self._files.get(inode, _File())
            content = bytearray(file.durable)
            for event in file.pending:
                _change(content, event, chance, survives)
            (to / Path(name).name).write_bytes(content)

    def _synced(self, inode: int) -> None:
        file = self._files[inode]
        through = file.promised.popleft()
        while file.pending and file.changes - len(file.pending) < through:
            _change(file.durable, file.pending.popleft())
        if inode in self._folders:
            folder = self._folders[inode]
            for names in (self._names, self._durable_names):
                for name in [each for each in names if str(Path(each).parent) == folder]:
                    if name in self._names:
                        self._durable_names[name] = self._names[name]
                    else:
                        del self._durable_names[name]

    def _renamed(self, kind: int, inode: int, name: str) -> None:
        if kind == UNLINK:
            self._names.pop(name, None)
        elif kind == RENAME:
            before, after = name.split("\0")
            self._names[after] = self._names.pop(before)
        else:
            self._names[name] = inode
            if kind == MAKE_FOLDER:
                self._folders[inode] = name
            else:
                self._files[inode] = _File()

    def _is_reachable(self, name: str) -> bool:
        folder = str(Path(name).parent)
        made_here = [path for inode, path in self._folders.items() if self._names.get(path) == inode]
        return folder not in made_here or (folder in self._durable_names and self._is_reachable(folder))


def _change(content: bytearray, event: Event, chance: Random | None = None, survives: float = 1.0) -> None:
    if event.kind == TRUNCATE:
        if chance is None or chance.random() < survives:
            del content[event.offset :]
            content.extend(bytes(event.offset - len(content)))
        return
    for start in range(0, len(event.data), _SECTOR_BYTES if chance else max(1, len(event.data))):
        if chance is not None and chance.random() >= survives:
            continue
        piece = event.data[start : start + _SECTOR_BYTES] if chance else event.data
        at = event.offset + start
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(piece)] = piece
