"""An exporter that there can be only one of: the supervisor has it, and workers hand their entries over."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_carbon.errors import PermanentExportError, RetryableExportError
from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.workers.link import LinkError
from otel_carbon.pipeline.component import Exporter, JournalEntry, Kind, Settings
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["HostedExporters", "relaying"]

_TYPES = frozenset({"prometheus"})  # who listens on a port, and is asked there for what all workers have got

Ask = Callable[[str, Any], Awaitable[Any]]


def relaying(config: GatewayConfig, ask: Ask) -> GatewayConfig:
    """Return the config of a worker: the exporters that the supervisor has only hand over to it."""

    def relayed(_config: Any, settings: Settings) -> RelayedExporter:
        return RelayedExporter(settings.id, ask)

    exporters = {
        id_: ComponentConfig(replace(one.factory, create=relayed), one.config) if one.factory.type in _TYPES else one
        for id_, one in config.components[Kind.EXPORTER].items()
    }
    return replace(config, components={**config.components, Kind.EXPORTER: exporters})


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


class HostedExporters:
    """The exporters of the supervisor, by id."""

    def __init__(self, config: GatewayConfig, shared: Mapping[str, Any]) -> None:
        used = {id_ for pipeline in config.service.pipelines.values() for id_ in pipeline.exporters}
        self._exporters: dict[str, Exporter] = {
            id_: one.factory.create(one.config, Settings(id_, {}, shared))
            for id_, one in config.components[Kind.EXPORTER].items()
            if one.factory.type in _TYPES and id_ in used
        }

    async def start(self) -> None:
        """Start all. Raises ConfigError where one cannot be."""
        for exporter in self._exporters.values():
            await exporter.start()

    async def shutdown(self) -> None:
        """Stop all. Safe to call twice."""
        for exporter in self._exporters.values():
            await exporter.shutdown()

    async def export(self, about: Any) -> list[Any] | None:
        """Take entries from a worker; return message and number of items where they will never be taken."""
        id_, entries = about
        try:
            await self._exporters[id_].export([_entry(*each) for each in entries])
        except PermanentExportError as error:
            return [str(error), error.failed_items]
        return None


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")


def _entry(position: int, received_unix_nano: int, signal: str, items: int, body: str) -> JournalEntry:
    return JournalEntry(position, received_unix_nano, Payload(Signal(signal), base64.b64decode(body), items))
