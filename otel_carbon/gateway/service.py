"""The gateway as one object: start, run, drain, stop. The order is that of the Collector."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.delivery import Delivery
from otel_carbon.gateway.graph import Graph, build_graph
from otel_carbon.gateway.status import describe, register_gauges, unready_reason
from otel_carbon.gateway.telemetry import SelfMetrics, exposition
from otel_carbon.journal import CursorSpec, DataDirectory, Journal, JournalSettings
from otel_carbon.pipeline.component import Component
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.tally import Tally

__all__ = ["JOURNAL_NAME", "Gateway"]

JOURNAL_NAME = "journal.db"

_LOG = logging.getLogger(__name__)


class Gateway:
    """Receives, writes down, acknowledges and delivers, as its config says.

    `data_dir` holds what belongs together with the ledger; `journal_dir`, by default the same, is locked by this
    gateway and holds the journal.
    """

    def __init__(self, config: GatewayConfig, data_dir: Path, *, source: str, journal_dir: Path | None = None) -> None:
        self.telemetry = SelfMetrics()
        self.tallies: list[Tally] = []
        self.data_dir = data_dir
        self._config = config
        self._source = source
        self._journal_dir = journal_dir or data_dir
        self._directory: DataDirectory | None = None
        self._journal: Journal | None = None
        self._graph: Graph | None = None
        self._started: list[Component] = []
        self._stopping = False
        self._deliveries: dict[Delivery, asyncio.Task[None]] = {}

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Return the bound address per protocol of all receivers."""
        receivers = self._graph.receivers.values() if self._graph else ()
        return {protocol: bound for receiver in receivers for protocol, bound in receiver.endpoints.items()}

    @property
    def receivers(self) -> Mapping[str, Any]:
        """Return the receivers by id."""
        return self._graph.receivers if self._graph else {}

    @property
    def exporters(self) -> Mapping[str, Any]:
        """Return the exporters by id."""
        return self._graph.exporters if self._graph else {}

    async def start(self) -> None:
        """Start exporters, then connectors, then receivers. When it returns, every port is bound.

        Raises:
            ConfigError: a component refuses its config.
            StorageError: the data directory, the journal or the ledger cannot be used.
            CarbonError: a port is taken.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop(drain_timeout_s=0.0)
            raise

    async def stop(self, drain_timeout_s: float | None = None) -> tuple[str, ...]:
        """Stop receiving, deliver until the timeout (default: `drain_timeout` of the config), keep the rest on disk.

        Returns the cursors that have something left. Safe to call twice.
        """
        graph, self._graph = self._graph, None
        self._stopping = graph is not None
        if graph is not None:
            for source in (*graph.receivers.values(), *graph.connectors.values()):
                await self._shutdown(source)
        if drain_timeout_s is None:
            drain_timeout_s = duration_s(self._config.service.drain_timeout, "drain_timeout")
        left = await self._drain(drain_timeout_s)
        for exporter in reversed(self._started.copy()):
            await self._shutdown(exporter)
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)
        if self._directory is not None:
            self._directory.close()
        self._stopping = False
        return left

    def metrics_text(self) -> str:
        """Return the gateway's own metrics in the Prometheus text format."""
        return exposition(self.telemetry.families())

    def unready_reason(self) -> str | None:
        """Return why the gateway should get no traffic now; None when it should."""
        if self._stopping:
            return "the gateway is stopping; what is not delivered stays in the journal"
        if self._graph is None or self._journal is None:
            return "the gateway is not running"
        return unready_reason(self._journal, self._graph)

    def describe(self) -> dict[str, Any]:
        """Return pipelines, components, cursors and their state, for people and for /debug/pipelines."""
        if self._graph is None or self._journal is None:
            return {}
        return describe(self._graph, self._config, self._journal, tuple(self._deliveries))

    async def _start(self) -> None:
        self._directory = DataDirectory(self._journal_dir)
        settings = JournalSettings(self._config.service.journal.max_bytes, self._config.service.journal.fsync)
        self._journal = Journal(self._journal_dir / JOURNAL_NAME, settings)
        shared = {
            "telemetry": self.telemetry,
            "tallies": self.tallies,
            "data_dir": self.data_dir,
            "journal_id": self._journal.id,
            "has_room": self._journal.has_room,
        }
        graph = build_graph(self._config, shared, self._journal.append, source=self._source)
        for id_, exporter in graph.exporters.items():
            await self._start_component(f"exporters::{id_}", exporter)
        await self._start_deliveries(graph, self._journal)
        self._graph = graph
        for id_, connector in graph.connectors.items():
            await self._start_component(f"connectors::{id_}", connector)
        for id_, receiver in graph.receivers.items():
            await self._start_component(f"receivers::{id_}", receiver)

    async def _start_component(self, path: str, component: Component) -> None:
        self._started.append(component)
        try:
            await component.start()
        except ConfigError as error:
            # The config was checked and is fine: what is in the way is this machine, as a port that is taken.
            raise CarbonError(f"{path}: {error}") from error

    async def _start_deliveries(self, graph: Graph, journal: Journal) -> None:
        specs = [
            CursorSpec(route.cursor, route.pipelines, await _position(graph.exporters[route.exporter_id]))
            for route in graph.routes
        ]
        for dropped in journal.register(specs):
            _LOG.warning(
                "exporter and signal %s are no longer configured; %d payloads were not delivered to it",
                dropped.name,
                dropped.undelivered,
            )
        deliveries = [Delivery(r, graph.exporters[r.exporter_id], journal, self.telemetry) for r in graph.routes]
        register_gauges(self.telemetry, journal, deliveries)
        self._deliveries = {one: asyncio.create_task(one.run(), name=one.route.cursor) for one in deliveries}
        for task in self._deliveries.values():
            task.add_done_callback(_report)
        loop = asyncio.get_running_loop()
        journal.on_commit(lambda: _call_soon(loop, self._wake))

    def _wake(self) -> None:
        for delivery in self._deliveries:
            delivery.wake()

    def _unread(self, delivery: Delivery) -> bool:
        return self._journal is not None and self._journal.has_unread(delivery.route.cursor)

    async def _drain(self, timeout_s: float) -> tuple[str, ...]:
        if not self._deliveries:
            return ()
        for delivery in self._deliveries:
            delivery.drain()
        await asyncio.wait(self._deliveries.values(), timeout=timeout_s)
        for task in self._deliveries.values():
            task.cancel()
        await asyncio.gather(*self._deliveries.values(), return_exceptions=True)
        left = tuple(delivery.route.cursor for delivery in self._deliveries if self._unread(delivery))
        if left:
            _LOG.warning("not everything is delivered; it stays in the journal for the next start: %s", ", ".join(left))
        self._deliveries = {}
        return left

    async def _shutdown(self, component: Component) -> None:
        try:
            await component.shutdown()
        except Exception:  # noqa: BLE001  one that fails to stop must not keep the others from it
            _LOG.exception("a component did not stop cleanly")


async def _position(exporter: Any) -> int | None:
    ask = getattr(exporter, "position", None)
    return None if ask is None else await ask()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("the delivery %s stopped", task.get_name(), exc_info=error)


def _call_soon(loop: asyncio.AbstractEventLoop, wake: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
