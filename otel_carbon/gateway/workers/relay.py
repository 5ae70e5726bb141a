"""What a worker has in the place of the components that its supervisor has: it hands over to them."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from otel_carbon.connectors.carbon_metrics import Config as CarbonMetricsConfig
from otel_carbon.errors import CarbonError, PermanentExportError, RetryableExportError
from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.workers.hosted import HostedComponents, hosted
from otel_carbon.gateway.workers.link import LinkError
from otel_carbon.gateway.workers.taken_back import as_told
from otel_carbon.gateway.workers.tell import Message
from otel_carbon.model import Reversal
from otel_carbon.pipeline.component import Exporter, JournalEntry, Kind, Settings
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["HostedExporters", "Relay", "RelayedCounters", "RelayedExporter"]

Ask = Callable[..., Awaitable[Any]]
"""Asks as `Link.ask` does."""

_LAST_METRICS_WITHIN_S = 20.0  # receivers of all workers have 10 s for what they have begun


class Relay:
    """The way from a worker to its supervisor: what is asked, and what is told without an answer."""

    def __init__(
        self, ask: Ask, tell: Callable[[Message], None], refusal: Callable[[], str | None] = lambda: None
    ) -> None:
        self.ask = ask
        self.tell = tell
        self.refusal = refusal
        """Returns why nothing that is counted should be taken now."""
        self.is_ending = False
        """Whether the worker stops; a connector that stops alone is only exchanged for another one."""
        self.counters: dict[str, RelayedCounters] = {}
        """What stands for connectors of the supervisor, by id."""

    def standing_in(self, config: GatewayConfig) -> GatewayConfig:
        """Return the config of a worker: what the supervisor has is only handed over to."""
        places = {Kind.EXPORTER: self._exporter, Kind.CONNECTOR: self._connector}
        components = {kind: dict(of_kind) for kind, of_kind in config.components.items()}
        for (kind, id_), one in hosted(config).items():
            components[kind][id_] = ComponentConfig(replace(one.factory, create=places[kind]), one.config)
        return replace(config, components=components)

    def tell_taken_back(self, cursor: str, position: int, reversals: Sequence[Reversal], *, at_start: bool) -> None:
        """Tell what a ledger took back, as `TellTakenBack` of the ledger exporter says."""
        self.tell(("taken back", as_told(cursor, position, reversals, at_start=at_start)))

    async def consume(self, about: Any) -> str | None:
        """Take the metrics of a connector of the supervisor in; return why they are not taken."""
        id_, body, items = about
        counters = self.counters.get(id_)
        if counters is None:
            return "the first worker is starting"
        try:
            await counters.consume(Payload(Signal.METRICS, base64.b64decode(body), items))
        except CarbonError as error:
            return str(error)
        return None

    def _exporter(self, _config: Any, settings: Settings) -> RelayedExporter:
        return RelayedExporter(settings.id, self.ask)

    def _connector(self, config: CarbonMetricsConfig, settings: Settings) -> RelayedCounters:
        return RelayedCounters(config, settings, self)


class RelayedCounters:
    """Measures what is to be counted, and tells the connector of the same id in the supervisor."""

    def __init__(self, config: CarbonMetricsConfig, settings: Settings, relay: Relay) -> None:
        self._id = settings.id
        self._relay = relay
        self._measurer = config.measurer(settings)
        self.consume = settings.consumers[Signal.METRICS]
        """Takes the metrics of all workers in."""

    async def start(self) -> None:
        """Stand in from now on."""
        self._relay.counters[self._id] = self

    async def shutdown(self) -> None:
        """Say that nothing comes any more, and wait for the last metrics of all workers."""
        if self._relay.is_ending:
            self._relay.tell(("counted all",))
            with suppress(LinkError):
                await self._relay.ask("last metrics", self._id, timeout_s=_LAST_METRICS_WITHIN_S)

    def refusal(self) -> str | None:
        """Return why nothing should be taken now that would be counted: what was counted cannot be told."""
        return self._relay.refusal()

    def observe(self, payload: Payload) -> None:
        """Tell what this worker marked, before the sender hears that it is taken."""
        measured = self._measurer.measure_all(payload.enriched)
        if measured:
            self._relay.tell(("counted", self._id, measured))


class RelayedExporter:
    """Hands entries to the exporter of the same id in the supervisor."""

    def __init__(self, id_: str, ask: Ask) -> None:
        self._id = id_
        self._ask = ask

    async def start(self) -> None:
        """Do nothing: the supervisor's is started before any worker."""

    async def shutdown(self) -> None:
        """Do nothing: the supervisor's outlives every worker."""

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver as the exporter itself would, with its errors; one that cannot be reached is tried again."""
        about = [
            self._id,
            [
                [one.position, one.received_unix_nano, one.payload.signal, one.payload.items, _text(one.payload.body)]
                for one in entries
            ],
        ]
        try:
            refused = await self._ask("export", about)
        except LinkError as error:
            raise RetryableExportError(f"{self._id}: {error}") from error
        if refused is not None:
            raise PermanentExportError(*refused)


class HostedExporters(HostedComponents[Exporter]):
    """The exporters of the supervisor."""

    def __init__(self, config: GatewayConfig, shared: Mapping[str, Any]) -> None:
        def create(id_: str, one: ComponentConfig) -> Exporter:
            exporter: Exporter = one.factory.create(one.config, Settings(id_, {}, shared))
            return exporter

        super().__init__(config, Kind.EXPORTER, create)

    async def export(self, about: Any) -> list[Any] | None:
        """Take entries from a worker; return message and number of items where they will never be taken."""
        id_, entries = about
        try:
            await self.by_id[id_].export([_entry(*each) for each in entries])
        except PermanentExportError as error:
            return [str(error), error.failed_items]
        return None


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")


def _entry(position: int, received_unix_nano: int, signal: str, items: int, body: str) -> JournalEntry:
    return JournalEntry(position, received_unix_nano, Payload(Signal(signal), base64.b64decode(body), items))
