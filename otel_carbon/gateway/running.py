"""A graph at work: components started, deliveries going. What is at work can be exchanged for another graph."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.gateway.delivery import Delivery
from otel_carbon.gateway.feed import Valve
from otel_carbon.gateway.graph import Built, ExporterRoute, Graph, Key
from otel_carbon.gateway.status import register_gauges
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.gateway.tracing import Tracing
from otel_carbon.journal import CursorSpec, Journal
from otel_carbon.journal.dead_letters import DeadLetters
from otel_carbon.pipeline.component import Component, Exporter, Kind

__all__ = ["Running"]

_LOG = logging.getLogger(__name__)
_HANDOVER_S = 5.0
_SOURCES = (Kind.RECEIVER, Kind.CONNECTOR)


class Running:
    """Starts, exchanges and stops graphs over one journal. Lives on one event loop."""

    def __init__(
        self, journal: Journal, dead_letters: DeadLetters, telemetry: SelfMetrics, tracing: Tracing | None = None
    ) -> None:
        self.valve = Valve()
        self.graph: Graph | None = None
        self._journal = journal
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._tracing = tracing
        self._deliveries: dict[Delivery, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        journal.on_commit(lambda: _call_soon(loop, self._wake))

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Return the deliveries, one per exporter and signal."""
        return tuple(self._deliveries)

    async def start(self, graph: Graph) -> None:
        """Start exporters, then connectors, then receivers. When it returns, every port is bound.

        Raises:
            CarbonError: something cannot be started; all that was is stopped again.
        """
        try:
            await self._bring_up(graph, {})
        except BaseException:
            await self._retire(graph, {}, (*_SOURCES, Kind.EXPORTER))
            raise

    async def replace(self, graph: Graph, rebuild: Callable[[Mapping[Key, Built]], Graph]) -> None:
        """Put another graph in the place of the one at work; what both have goes on as it is.

        While the two change places, for some milliseconds, what comes waits; nothing is refused or cut off. Where the
        new graph cannot be started, `rebuild` gives the old one again, from what is left of it.

        Raises:
            CarbonError: the new graph cannot be started. If `graph` is None then, the old one could not either.
        """
        assert self.graph is not None
        old = self.graph
        kept = {key: built for key, built in old.built.items() if graph.built.get(key) is built}
        try:
            await self._retire(old, kept, _SOURCES)  # receivers finish what they have begun, connectors say their last
            await self._halt_deliveries()
            await self._retire(old, kept, (Kind.EXPORTER,))
            await self._bring_up(graph, kept)
        except Exception:
            self.graph = None
            await self._retire(graph, kept, (*_SOURCES, Kind.EXPORTER))
            await self._bring_up(await asyncio.to_thread(rebuild, kept), kept)
            raise

    async def stop_receiving(self) -> None:
        """Let receivers finish what they have begun and take nothing more, and connectors send a last time."""
        if self.graph is not None:
            await self._retire(self.graph, {}, _SOURCES)

    async def drain(self, timeout_s: float) -> list[Delivery]:
        """Deliver what is there until the timeout; return the deliveries that have something left."""
        for delivery in self._deliveries:
            delivery.drain()
        deliveries = self.deliveries
        await self._end_deliveries(timeout_s)
        return [one for one in deliveries if self._journal.has_unread(one.route.cursor)]

    async def stop(self) -> None:
        """Stop the exporters."""
        graph, self.graph = self.graph, None
        if graph is not None:
            await self._retire(graph, {}, (Kind.EXPORTER,))

    async def _bring_up(self, graph: Graph, kept: Mapping[Key, Built]) -> None:
        for id_, exporter in graph.exporters.items():
            if (Kind.EXPORTER, id_) not in kept:
                await _start(f"exporters::{id_}", exporter)
        await self.valve.close()  # receivers may be called before their pipelines have a place in the journal
        try:
            for kind, group in ((Kind.CONNECTOR, graph.connectors), (Kind.RECEIVER, graph.receivers)):
                for id_, source in group.items():
                    if (kind, id_) not in kept:
                        await _start(f"{kind}s::{id_}", source)
            await self._register(graph)
            graph.connect()
        finally:
            self.valve.open()
        self.graph = graph
        self._start_deliveries(graph)

    async def _register(self, graph: Graph) -> None:
        specs = [
            CursorSpec(route.cursor, route.pipelines, await _position(graph.exporters[route.exporter_id]))
            for route in graph.routes
        ]
        for dropped in await asyncio.to_thread(self._journal.register, specs):
            _LOG.warning(
                "exporter and signal %s are no longer configured; %d payloads were not delivered to it",
                dropped.name,
                dropped.undelivered,
            )

    def _start_deliveries(self, graph: Graph) -> None:
        deliveries = [
            Delivery(route, self._exporter(route, graph), self._journal, self._telemetry, self._dead_letters)
            for route in graph.routes
        ]
        register_gauges(self._telemetry, self._journal, deliveries, self._dead_letters)
        self._deliveries = {one: asyncio.create_task(one.run(), name=one.route.cursor) for one in deliveries}
        for task in self._deliveries.values():
            task.add_done_callback(_report)

    def _exporter(self, route: ExporterRoute, graph: Graph) -> Exporter:
        exporter = graph.exporters[route.exporter_id]
        return exporter if self._tracing is None else self._tracing.exporting(route.exporter_id, route.signal, exporter)

    async def _halt_deliveries(self) -> None:
        for delivery in self._deliveries:
            delivery.halt()
        await self._end_deliveries(_HANDOVER_S)

    async def _end_deliveries(self, timeout_s: float) -> None:
        if self._deliveries:
            await asyncio.wait(self._deliveries.values(), timeout=timeout_s)
        for task in self._deliveries.values():
            task.cancel()
        await asyncio.gather(*self._deliveries.values(), return_exceptions=True)
        self._deliveries = {}

    async def _retire(self, graph: Graph, kept: Mapping[Key, Built], kinds: Collection[Kind]) -> None:
        """Stop the components of these kinds, receivers before what they feed."""
        for kind in kinds:
            for key, built in graph.built.items():
                if key[0] is kind and kept.get(key) is not built:
                    await _shutdown(built.component)

    def _wake(self) -> None:
        for delivery in self._deliveries:
            delivery.wake()


async def _start(path: str, component: Component) -> None:
    try:
        await component.start()
    except ConfigError as error:
        # The config was checked and is fine: what is in the way is this machine, as a port that is taken.
        raise CarbonError(f"{path}: {error}") from error


async def _shutdown(component: Component) -> None:
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


def _call_soon(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
