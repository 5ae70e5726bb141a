"""kill -9 at any moment: what was acknowledged is in the ledger once, whatever else happens."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from gateway_process import GatewayProcess
from spans import span_id, traces

_KILLS = 12
_SENDERS = 4
_SPANS_PER_REQUEST = 5
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class _Load:
    """Clients that send, remember what was acknowledged, and send again what was not, as SDKs do."""

    next_number: int = 0
    acknowledged: set[int] = field(default_factory=set)
    unanswered: list[int] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, address: str) -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            export = channel.unary_unary(_EXPORT, None, None)
            async with asyncio.TaskGroup() as senders:
                for _ in range(_SENDERS):
                    senders.create_task(self._send(export))

    async def _send(self, export: grpc.aio.UnaryUnaryMultiCallable) -> None:
        while True:
            first = self.unanswered.pop() if self.unanswered else self._take_number()
            try:
                await export(traces(first, _SPANS_PER_REQUEST), timeout=10)
            except grpc.aio.AioRpcError:
                self.unanswered.append(first)
                return
            self.acknowledged.update(range(first, first + _SPANS_PER_REQUEST))
            self.enough.set()

    def _take_number(self) -> int:
        first, self.next_number = self.next_number, self.next_number + _SPANS_PER_REQUEST
        return first


def _calls(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        return [span for (span,) in db.execute("SELECT span_id FROM lines WHERE kind = 'call'")]


async def test_every_acknowledged_span_is_in_the_ledger_exactly_once_after_many_kills(tmp_path: Path) -> None:
    data_dir, load, chance = tmp_path / "data", _Load(), random.Random(20261123)
    for _ in range(_KILLS):
        with GatewayProcess(data_dir) as gateway:
            load.enough.clear()
            running = asyncio.create_task(load.run(gateway.ready["grpc"]))
            await load.enough.wait()
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            gateway.kill()
            await running

    with GatewayProcess(data_dir) as gateway:
        assert gateway.stop() == 0

    calls = _calls(data_dir)
    assert len(calls) == len(set(calls))
    assert {span_id(number) for number in load.acknowledged} <= set(calls)
    assert len(load.acknowledged) > _KILLS * _SPANS_PER_REQUEST
    with closing(sqlite3.connect(data_dir / "journal.db")) as db:
        assert db.execute("SELECT count(*) FROM entry WHERE pipeline = 'traces'").fetchone() == (0,)
