"""Keeps workers running, and answers for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from otel_carbon.errors import CarbonError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.own_footprint import OwnFootprint
from otel_carbon.gateway.status import register_own
from otel_carbon.gateway.telemetry import Family, SelfMetrics, exposition
from otel_carbon.gateway.workers.counting import HostedCounters
from otel_carbon.gateway.workers.folders import check_free, left_over, remove
from otel_carbon.gateway.workers.link import LinkError
from otel_carbon.gateway.workers.ports import ReservedPorts, listening_addresses
from otel_carbon.gateway.workers.process import WorkerProcess
from otel_carbon.gateway.workers.relay import HostedExporters
from otel_carbon.gateway.workers.sums import counters, described_together, own_ratio, summed
from otel_carbon.pipeline.duration import duration_s

__all__ = ["Command", "Supervisor"]

_LOG = logging.getLogger(__name__)
Command = Callable[[str, Mapping[str, str]], Sequence[str]]
"""Gives the command that starts a worker: of its role, and of the addresses that it has to listen on."""

_LOOK_EVERY_S = 1.0
_ANSWER_WITHIN_S = 15.0
_STOP_GRACE_S = 20.0  # beside the drain timeout: what receivers and exporters have for what they have begun
_COUNTS_WITHIN_S = 15.0  # receivers have 10 s for what they have begun
_TAKES_IN_WITHIN_S = 10.0
_FIRST = 0  # whose pipelines take the metrics of all workers in
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0  # a worker that has run so long is started again at once


class Supervisor:
    """Starts workers, starts those again that end, and stops them together."""

    def __init__(self, config: GatewayConfig, data_dir: Path, command: Command) -> None:
        self.config = config
        """What the workers were started with."""
        self._data_dir = data_dir
        self._command = command
        self._telemetry = SelfMetrics()
        self._hosted = HostedExporters(config, {"telemetry": self._telemetry, "data_dir": data_dir})
        self._counters = HostedCounters(config, self._ask_first)
        self._ports: ReservedPorts | None = None
        self._workers: dict[int, WorkerProcess] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None
        self._retired: list[Family] = []
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own = OwnFootprint.of_this_process(config.service.telemetry.energy)
        register_own(self._telemetry, self._own)
        self._telemetry.gauge("workers", lambda: {(): float(sum(one.is_ready for one in self._workers.values()))})

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the bound addresses, as the workers name them."""
        found = (one.endpoints for one in self._workers.values() if one.endpoints)
        return dict(next(found, {}))

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        return [one.pid for one in self._workers.values()]

    async def start(self) -> None:
        """Start all workers. When it returns, all of them listen.

        Raises:
            ConfigError: a receiver cannot share its port.
            StorageError: another gateway has the data directory.
            CarbonError: a port is taken, or a worker does not start; it has said why.
        """
        self._loop = asyncio.get_running_loop()
        wanted = range(self.config.service.workers)
        try:
            await check_free(self._data_dir, wanted)
            self._ports = ReservedPorts(listening_addresses(self.config))
            await self._hosted.start()
            await self._counters.start()
            await self._start_all(wanted)
        except BaseException:
            await self.stop()
            raise
        self._keeping += [asyncio.create_task(self._keep(number)) for number in wanted]
        self._keeping += [asyncio.create_task(self._drain(number)) for number in left_over(self._data_dir, len(wanted))]
        self._keeping.append(asyncio.create_task(self._own.keep_reading(), name="own energy"))
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Let every worker drain and end. Safe to call twice."""
        self._stopping = True
        tasks = [*self._keeping, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        within_s = duration_s(self.config.service.drain_timeout, "drain_timeout") + _STOP_GRACE_S
        await asyncio.gather(*(one.stop(within_s) for one in self._workers.values()))
        await self._counters.shutdown()
        await self._hosted.shutdown()
        if self._ports is not None:
            self._ports.close()

    def reload(self) -> None:
        """Let every worker read the config again."""
        for worker in self._workers.values():
            worker.reload()

    def metrics_text(self) -> str:
        """Return the sums over all workers in the Prometheus text format. Not for the event loop."""
        self._ask(self._refresh())
        of_workers = summed([self._retired, *(one.families for one in self._workers.values())])
        own = self._telemetry.families()
        uptime = [family for family in own if family.name == "process_uptime"]
        sums = summed([of_workers, own])
        return exposition(sorted([*sums, *own_ratio(sums), *uptime], key=lambda family: family.name))

    def unready_reason(self) -> str | None:
        """Return why there should be no traffic now: no worker takes any."""
        if self._stopping:
            return "the gateway is stopping; what is not delivered stays in the journals"
        reasons = {number: one.unready for number, one in self._workers.items()}
        if any(reason is None for reason in reasons.values()):
            return None
        return "; ".join(f"worker {number}: {reason}" for number, reason in reasons.items()) or "no worker is running"

    def describe(self) -> dict[str, Any]:
        """Return pipelines, components and cursors of all workers. Not for the event loop."""
        found: dict[str, Any] = self._ask(self._described())
        return found

    def _ask(self, answer: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result(_ANSWER_WITHIN_S)

    async def _refresh(self) -> None:
        await asyncio.gather(*(one.refresh() for one in self._workers.values()))

    async def _described(self) -> dict[str, Any]:
        workers = list(self._workers.items())
        described = await asyncio.gather(*(one.describe() for _, one in workers))
        by_number = {str(number): each for (number, _), each in zip(workers, described, strict=True)}
        return described_together(by_number, self._own.describe())

    async def _look(self) -> None:
        while True:
            await asyncio.gather(*(one.look() for one in self._workers.values()))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _start_all(self, numbers: Sequence[int]) -> None:
        """Start workers at the same time, and wait for all of them, also where one does not start."""
        started = await asyncio.gather(*map(self._start, numbers), return_exceptions=True)
        errors = [each for each in started if isinstance(each, BaseException)]
        for error in errors[1:]:
            _LOG.error("%s", error)
        if errors:
            raise errors[0]

    async def _start(self, number: int, *, only_drains: bool = False) -> WorkerProcess:
        assert self._ports is not None
        addresses = dict(self._ports.overrides())
        worker = await WorkerProcess.start(
            number,
            lambda role: self._command(role, addresses),
            {"export": self._hosted.export, "last metrics": partial(self._last_metrics, number)},
            self._counters.take,
            only_drains=only_drains,
        )
        self._workers[number] = worker
        if not await worker.started():
            raise CarbonError(f"worker {number} does not start: {worker.failure or 'what it says stands above'}")
        if number == _FIRST and worker.journal_id is not None:
            self._counters.name_after(worker.journal_id)
        return worker

    async def _ask_first(self, what: str, about: Any) -> Any:
        first = self._workers.get(_FIRST)
        if first is None:
            raise LinkError("the first worker is not running")
        return await first.ask(what, about, _TAKES_IN_WITHIN_S)

    async def _last_metrics(self, number: int, _about: Any) -> None:
        """Answer the first worker when everything that any worker counts is on its way through its pipelines."""
        if number != _FIRST or not self._stopping:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_COUNTS_WITHIN_S):
                await asyncio.gather(*(one.counted_all() for one in self._workers.values()))
        await self._counters.shutdown()

    async def _keep(self, number: int) -> None:
        """Start a worker again whenever it ends."""
        pause_s = _FIRST_PAUSE_S
        while True:
            code, ran_s = await self._workers[number].ended()
            if self._stopping:
                return
            self._retire(number)
            self._telemetry.count("worker_restarts")
            pause_s = _FIRST_PAUSE_S if ran_s > _STEADY_AFTER_S else pause_s
            _LOG.error("worker %d ended (%s) and is started again in %g s", number, code, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                await self._start(number)
            except CarbonError as error:
                _LOG.error("%s", error)

    async def _drain(self, number: int) -> None:
        """Let a worker that is no longer wanted deliver what its journal has."""
        _LOG.info("worker %d is no longer wanted; what its journal has is delivered", number)
        try:
            await self._start(number, only_drains=True)
            code, _ = await self._workers[number].ended()
        except CarbonError as error:
            _LOG.error("%s", error)
            code = 1
        self._retire(number)
        if code == 0 and not self._stopping:
            del self._workers[number]
            remove(self._data_dir, number)
            _LOG.info("the journal of worker %d is delivered", number)

    def _retire(self, number: int) -> None:
        """Keep what a worker has counted, so that no counter goes down."""
        self._retired = summed([self._retired, counters(self._workers[number].take_families())])
