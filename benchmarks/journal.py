"""Commits and payloads per second of the journal alone, on the disk of this directory, with two readers that keep up.

    python benchmarks/journal.py [--bytes 300000] [--payloads 500]

Every row has another number of senders that wait for their acknowledgement at the same time: with more of them, more
payloads share a commit. Each is measured with `fsync` and without.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from otel_carbon.journal import CursorSpec, Journal, JournalSettings
from otel_carbon.pipeline.pdata import Payload, Signal

_READERS = ("a", "b")
_SENDERS = (1, 8, 64)


def measure(folder: Path, size: int, payloads: int, senders: int, *, fsync: bool) -> str:
    """Return a row of the table."""
    pipelines = frozenset({"traces"})
    with closing(Journal(folder / f"{senders}-{fsync}.db", JournalSettings(fsync=fsync))) as journal:
        journal.register([CursorSpec(name, pipelines) for name in _READERS])
        commits: list[int] = []
        journal.on_commit(lambda: commits.append(journal.head))
        readers = [threading.Thread(target=_read, args=(journal, name, payloads)) for name in _READERS]
        began_s, cpu_s = time.monotonic(), time.process_time()
        for reader in readers:
            reader.start()
        _send(journal, Payload(Signal.TRACES, os.urandom(size), 1), payloads, senders)
        for reader in readers:
            reader.join()
        wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    return (
        f"| {'on' if fsync else 'off'} | {senders} | {len(commits) / wall_s:,.0f} | {payloads / wall_s:,.0f} | "
        f"{payloads * size / wall_s / 1e6:,.0f} | {cpu_s / payloads * 1e6:,.0f} |"
    )


def _send(journal: Journal, payload: Payload, payloads: int, senders: int) -> None:
    room = threading.Semaphore(senders)
    for _ in range(payloads):
        room.acquire()  # released when the payload is on disk
        journal.append("traces", payload).add_done_callback(lambda _: room.release())


def _read(journal: Journal, name: str, payloads: int) -> None:
    position = 0
    while position < payloads:
        entries = journal.read(name)
        if entries:
            position = entries[-1].position
            journal.advance(name, position)
        else:
            time.sleep(0.001)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=300_000)
    parser.add_argument("--payloads", type=int, default=500)
    args = parser.parse_args()
    print("| fsync | senders | commits/s | payloads/s | MB/s | CPU us per payload |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for senders in _SENDERS:
            for fsync in (True, False):
                print(measure(Path(folder), args.bytes, args.payloads, senders, fsync=fsync), flush=True)


if __name__ == "__main__":
    main()
