"""The power fails at any moment, and the disk loses what was not synced: everything acknowledged is still there.

A recording of every write of a real gateway under load is cut off at many places. `CUTS=1000` tries as many.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from gateway_config import config_to_sink
from gateway_process import GatewayProcess
from power_loss import Disk, Event, build_recorder, compiler, events
from span_load import SpanLoad
from span_sink import SpanSink, serving_sink, span_ids

from otel_carbon.journal import CursorSpec, Journal

_CUTS = int(os.environ.get("CUTS", "40"))
_TRACE_BYTES = 24_000_000  # the log of the journal is written back into its file after 16 MiB
_LONGEST_S = 15.0
_SINK, _LEDGER = "otlp_grpc/sink:traces", "ledger:traces"
_TRACES = frozenset({"traces"})

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="needs a C compiler (`cc`), to record what the gateway writes"),
    pytest.mark.timeout(120 + _CUTS),
]


class _Load(SpanLoad):
    """Knows how much the gateway had written when it acknowledged something."""

    def __init__(self, trace: Path) -> None:
        super().__init__(spans_per_request=40)
        self.times: list[tuple[int, set[str], bool]] = []
        self._trace = trace

    def acknowledge(self, ids: set[str], *, genai: bool) -> None:
        self.times.append((self._trace.stat().st_size, ids, genai))
        super().acknowledge(ids, genai=genai)


class _Sink(SpanSink):
    """Knows how much the gateway had written when it got something."""

    def __init__(self, trace: Path) -> None:
        super().__init__(Random(1), unavailable=0.8)
        self.times: list[tuple[int, set[str]]] = []
        self._trace = trace

    def keep(self, ids: list[str]) -> None:
        self.times.append((self._trace.stat().st_size, set(ids)))


async def _record(folder: Path, *, fsync: bool) -> tuple[_Load, _Sink]:
    """Run a gateway under load and write down all that it does to its disk."""
    disk, trace, config = folder / "disk", folder / "trace", folder / "gateway.yaml"
    disk.mkdir()
    trace.touch()
    environ = {"LD_PRELOAD": str(build_recorder(folder)), "WRITES_UNDER": str(disk), "WRITES_TO": str(trace)}
    load = _Load(trace)
    async with serving_sink(_Sink(trace)) as sink:
        config.write_text(config_to_sink(sink.address, fsync=fsync), "utf-8")
        arguments = (disk / "data", "--config", str(config))
        gateway = await asyncio.to_thread(lambda: GatewayProcess(*arguments, environ=environ))  # type: ignore[arg-type]
        running = asyncio.create_task(load.run(gateway.ready))
        until_s = asyncio.get_running_loop().time() + _LONGEST_S
        while trace.stat().st_size < _TRACE_BYTES and asyncio.get_running_loop().time() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.to_thread(gateway.kill)
        await running
    return load, sink


def _cut(folder: Path, chance: Random) -> Iterator[tuple[int, Path]]:
    """Yield moments, in bytes of the trace, and what was on the disk after a power cut then."""
    trace = folder / "trace"
    moments = _moments(chance, trace.stat().st_size)
    disk = Disk(folder / "disk")
    last: Event | None = None
    for event in events(trace):
        while moments and event.end > moments[-1]:
            left = folder / f"cut-{moments[-1]}"
            left.mkdir()
            disk.after_power_loss(left, chance, chance.choice([0.0, 0.0, 0.5, 1.0]))
            yield (0 if last is None else last.end), left
            moments.pop()
        disk.apply(event)
        last = event


def _moments(chance: Random, size: int) -> list[int]:
    return sorted({chance.randrange(size) for _ in range(_CUTS)}, reverse=True)


def _lost(load: _Load, sink: _Sink, moment: int, left: Path) -> set[str]:
    """Return the acknowledged spans that somebody would never get."""
    acknowledged = [(ids, genai) for at, ids, genai in load.times if at <= moment]
    in_ledger, position = _ledger(left / "ledger.db")
    waiting = _waiting(left / "journal.db", position)
    at_sink = set[str]().union(*(ids for at, ids in sink.times if at <= moment))
    lost: set[str] = set()
    for ids, genai in acknowledged:
        lost |= ids - at_sink - waiting[_SINK]
        lost |= ids - in_ledger - waiting[_LEDGER] if genai else set()
    return lost


def _ledger(path: Path) -> tuple[set[str], int]:
    if not path.exists():
        return set(), 0
    with closing(sqlite3.connect(path)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'cursors'").fetchone():
            return set(), 0
        calls = {span for (span,) in db.execute("SELECT span_id FROM lines")}
        return calls, db.execute("SELECT coalesce(max(position), 0) FROM cursors").fetchone()[0]


def _waiting(path: Path, ledger_position: int) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {_SINK: set(), _LEDGER: set()}
    with closing(Journal(path)) as journal:
        journal.register([CursorSpec(_SINK, _TRACES), CursorSpec(_LEDGER, _TRACES, ledger_position or None)])
        for cursor, spans in found.items():
            while entries := journal.read(cursor):
                spans |= {id_ for entry in entries for id_ in span_ids(entry.payload.body)}
                journal.advance(cursor, entries[-1].position)
        assert journal.damage.payloads == 0
    return found


async def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    load, sink = await _record(tmp_path, fsync=True)

    for moment, left in _cut(tmp_path, Random(20261124)):
        assert _lost(load, sink, moment, left) == set(), left
    assert len(load.times) > 20


async def test_without_fsync_a_power_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    load, sink = await _record(tmp_path, fsync=False)

    assert any(_lost(load, sink, moment, left) for moment, left in _cut(tmp_path, Random(20261124)))
