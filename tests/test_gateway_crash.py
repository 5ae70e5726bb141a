"""kill -9 at any moment: what was acknowledged is in the ledger once and at the destination, whatever else happens.

`make crash KILLS=500` does it as often as that; `SEED` repeats a run's choices, not its timing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from gateway_config import config_to_sink
from gateway_process import GatewayProcess
from ledger_cases import open_ledger
from span_load import SpanLoad
from span_sink import SpanSink, serving_sink

from otel_carbon.ledger.verify import verify

_KILLS = int(os.environ.get("KILLS", "5"))
_SEED = int(os.environ.get("SEED", "20261124"))


class _Campaign:
    """Gateways, one after the other on one data directory, each killed at a moment of its own."""

    def __init__(self, data_dir: Path, config: Path, chance: Random) -> None:
        self.load = SpanLoad()
        self.moments: Counter[str] = Counter()
        self._data_dir = data_dir
        self._config = config
        self._chance = chance

    async def kill_one(self) -> None:
        """Start a gateway and kill it: most under load, some while they start or drain."""
        moment = self._chance.choices(("load", "start", "drain"), (6, 1, 2))[0]
        self.moments[moment] += 1
        if moment == "start":
            await self._kill_while_it_starts()
            return
        gateway = await self.start()
        self.load.some.clear()
        running = asyncio.create_task(self.load.run(gateway.ready))
        await self.load.some.wait()
        await asyncio.sleep(self._chance.uniform(0.0, 0.4))
        if moment == "drain":
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(self._chance.uniform(0.0, 0.3))
        await asyncio.to_thread(gateway.kill)
        await running

    async def start(self, *, wait: bool = True) -> GatewayProcess:
        """Start a gateway, in a thread: the sink of this process has to answer meanwhile."""
        arguments = (self._data_dir, "--config", str(self._config))
        return await asyncio.to_thread(lambda: GatewayProcess(*arguments, wait=wait))  # type: ignore[arg-type]

    async def _kill_while_it_starts(self) -> None:
        gateway = await self.start(wait=False)
        await asyncio.sleep(self._chance.uniform(0.0, 1.5))
        await asyncio.to_thread(gateway.kill)


@pytest.mark.timeout(60 + 15 * _KILLS)
async def test_nothing_acknowledged_is_lost_and_nothing_counted_twice_after_many_kills(tmp_path: Path) -> None:
    chance = Random(_SEED)
    data_dir, config = tmp_path / "data", tmp_path / "gateway.yaml"
    async with serving_sink(SpanSink(chance, unavailable=0.1)) as sink:
        config.write_text(config_to_sink(sink.address), "utf-8")
        campaign = _Campaign(data_dir, config, chance)
        for _ in range(_KILLS):
            await campaign.kill_one()

        sink.unavailable = 0.0
        last = await campaign.start()
        assert await asyncio.to_thread(last.stop) == 0

    load, calls = campaign.load, _calls(data_dir)
    print(  # what `make crash` is run for
        f"{sum(campaign.moments.values())} kills {dict(campaign.moments)}, {len(load.sent)} spans sent, "
        f"{len(load.acknowledged)} acknowledged, {len(calls)} calls in the ledger, "
        f"{len(sink.spans)} spans at the sink, {sum(sink.spans.values()) - len(sink.spans)} there again"
    )
    assert load.acknowledged - set(sink.spans) == set()
    assert load.acknowledged_genai - set(calls) == set()
    assert set(calls) | set(sink.spans) <= load.sent
    assert len(calls) == len(set(calls))
    assert len(load.acknowledged_genai) > _KILLS
    assert _journalled(data_dir) == 0
    with closing(open_ledger(data_dir / "ledger.db")) as ledger:
        assert verify(ledger).problems == ()


def _calls(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        return [span for (span,) in db.execute("SELECT span_id FROM lines")]


def _journalled(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "journal.db")) as db:
        return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])
