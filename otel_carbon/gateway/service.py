"""The gateway as one object: start, run, reload, drain, stop. The order is that of the Collector."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.delivery import Delivery
from otel_carbon.gateway.graph import NOTHING_BUILT, Built, Graph, Key
from otel_carbon.gateway.graph_builder import build_graph
from otel_carbon.gateway.live import fixed_changes
from otel_carbon.gateway.own_footprint import OwnFootprint
from otel_carbon.gateway.running import Running
from otel_carbon.gateway.service_config import share_bytes
from otel_carbon.gateway.status import describe, register_own, unready_reason
from otel_carbon.gateway.telemetry import SelfMetrics, exposition
from otel_carbon.gateway.tracing import Tracing, start_tracing
from otel_carbon.journal import DataDirectory, Journal, JournalSettings
from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetters
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.tally import Tally

__all__ = ["JOURNAL_NAME", "Gateway"]

JOURNAL_NAME = "journal.db"

_LOG = logging.getLogger(__name__)


class Gateway:
    """Receives, writes down, acknowledges and delivers, as its config says.

    `data_dir` holds what belongs together with the ledger; `journal_dir`, by default the same, is locked by this
    gateway, in the name of the process `owner_pid`, and holds the journal. `shared` is given to components beside what
    the gateway has for them.
    """

    def __init__(
        self,
        config: GatewayConfig,
        data_dir: Path,
        *,
        source: str,
        journal_dir: Path | None = None,
        owner_pid: int | None = None,
        shared: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.telemetry = SelfMetrics()
        self.data_dir = data_dir
        self.config = config
        """What it runs with now."""
        self._source = source
        self._journal_dir = journal_dir or data_dir
        self._owner_pid = owner_pid
        self._shared = shared
        self._directory: DataDirectory | None = None
        self._journal: Journal | None = None
        self._dead_letters: DeadLetters | None = None
        self._running: Running | None = None
        self._stopping = False
        self._own = OwnFootprint.of_this_process(config.service.telemetry.energy)
        register_own(self.telemetry, self._own)
        self._tracing: Tracing | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Return the bound address per protocol of all receivers."""
        return {
            protocol: bound for receiver in self.receivers.values() for protocol, bound in receiver.endpoints.items()
        }

    @property
    def receivers(self) -> Mapping[str, Any]:
        """Return the receivers by id."""
        return self._graph.receivers if self._graph else {}

    @property
    def exporters(self) -> Mapping[str, Any]:
        """Return the exporters by id."""
        return self._graph.exporters if self._graph else {}

    @property
    def is_running(self) -> bool:
        """Return whether it receives and delivers."""
        return self._graph is not None

    async def start(self) -> None:
        """Start exporters, then connectors, then receivers. When it returns, every port is bound.

        Raises:
            ConfigError: a component refuses its config.
            StorageError: the data directory, the journal or the ledger cannot be used.
            CarbonError: a port is taken.
        """
        try:
            self._directory = DataDirectory(self._journal_dir, self._owner_pid)
            service, wanted = self.config.service, self.config.service.journal
            max_age_s = 0.0 if wanted.max_age is None else duration_s(wanted.max_age, "max_age")
            settings = JournalSettings(share_bytes(service, wanted.max_bytes), wanted.fsync, max_age_s)
            self._journal = Journal(self._journal_dir / JOURNAL_NAME, settings)
            self._dead_letters = DeadLetters(
                self._journal_dir / DEAD_LETTERS_NAME, share_bytes(service, service.dead_letters.max_bytes)
            )
            self._tracing = start_tracing(self.config.service.telemetry.traces)
            self._running = Running(self._journal, self._dead_letters, self.telemetry, self._tracing)
            await self._running.start(self._build(self.config, NOTHING_BUILT))
            self._reading = asyncio.create_task(self._own.keep_reading(), name="own energy")
        except BaseException:
            await self.stop(drain_timeout_s=0.0)
            raise

    async def reload(self, config: GatewayConfig) -> None:
        """Go on with another config, without closing a port or connection that it has too.

        Raises:
            ConfigError: it changes what cannot change while the gateway runs, or a component refuses it.
            CarbonError: something cannot be started. In all cases the earlier config goes on; if not even that can be
                started again, the gateway is not running any more.
        """
        assert self._running is not None
        assert self._running.graph is not None
        fixed_changes(self.config, config).raise_if_any(self._source)
        graph = await asyncio.to_thread(self._build, config, self._running.graph.built)
        await self._running.replace(graph, lambda kept: self._build(self.config, kept))
        self.config = config

    def reload_files(self) -> None:
        """Read certificates and tokens again where somebody listens; files that cannot be used change nothing."""
        for component in (*self.receivers.values(), *self.exporters.values()):
            reload_files = getattr(component, "reload_files", None)
            if reload_files is not None:
                reload_files()

    async def stop(self, drain_timeout_s: float | None = None) -> tuple[str, ...]:
        """Stop receiving, deliver until the timeout (default: `drain_timeout` of the config), keep the rest on disk.

        Returns the cursors that have something left. Safe to call twice.
        """
        left: tuple[str, ...] = ()
        running, self._running, self._stopping = self._running, None, self._running is not None
        if drain_timeout_s is None:
            drain_timeout_s = duration_s(self.config.service.drain_timeout, "drain_timeout")
        if self._reading is not None:
            self._reading.cancel()
        if running is not None:
            await running.stop_receiving()
            left = await self._told(await running.drain(drain_timeout_s))
            await running.stop()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.stop)
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)
        if self._dead_letters is not None:
            self._dead_letters.close()
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
        running, graph = self._running, self._graph
        if graph is None or running is None or self._journal is None or self._dead_letters is None:
            return {}
        state = describe(graph, self.config, self._journal, running.deliveries, self._dead_letters)
        return {**state, "own": self._own.describe()}

    @property
    def _graph(self) -> Graph | None:
        return None if self._running is None else self._running.graph

    def _build(self, config: GatewayConfig, earlier: Mapping[Key, Built]) -> Graph:
        assert self._journal is not None
        assert self._running is not None
        shared = {
            "telemetry": self.telemetry,
            "tallies": list[Tally](),
            "data_dir": self.data_dir,
            "journal_id": self._journal.id,
            "no_room": self._journal.refusal,
            "watchers": (self._own.measured,),
            "tracing": self._tracing,
            **self._shared,
        }
        valve = self._running.valve
        return build_graph(config, shared, self._journal.append, source=self._source, valve=valve, earlier=earlier)

    async def _told(self, left: list[Delivery]) -> tuple[str, ...]:
        """Say in the log what stays in the journal, and return the names of the cursors."""
        assert self._journal is not None
        cursors = tuple(delivery.route.cursor for delivery in left)
        if cursors:
            backlogs = [await asyncio.to_thread(self._journal.backlog, cursor) for cursor in cursors]
            what = ", ".join(
                f"{name} ({it.payloads} payload{'s' * (it.payloads != 1)})"
                for name, it in zip(cursors, backlogs, strict=True)
            )
            _LOG.warning("not everything is delivered; it stays in the journal for the next start: %s", what)
        return cursors
