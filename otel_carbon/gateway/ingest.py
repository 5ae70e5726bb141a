"""The pipeline of a gateway, run once over stored requests, into the ledger alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from otel_carbon.errors import CarbonError, ConfigError, UnavailableError
from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.service import Gateway
from otel_carbon.gateway.service_config import WebConfig
from otel_carbon.gateway.topology import PipelineConfig
from otel_carbon.pipeline.component import Consumer, Factory, Kind, Settings, Stability
from otel_carbon.pipeline.otlp import rejections
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Ingested", "ingest", "ingest_config"]

_FOLDER = "ingest"  # a journal of its own, so that a gateway may run on the same data directory
_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of it, in spans. `skipped` counts requests of other signals than traces.

    `unaccountable` are GenAI spans whose trace or span id is not valid: nothing could tell them from one another.
    """

    requests: int
    skipped: int
    spans: int
    unaccountable: int
    seen: int
    counted: int
    duplicates: int
    replayed: int
    conflicts: int


def ingest_config(config: GatewayConfig) -> GatewayConfig:
    """Return what is left of a config for stored traces: its processors, and of its exporters the ledger.

    Raises:
        ConfigError: no traces pipeline of the config ends in a ledger.
    """
    ledgers = {id_: one for id_, one in config.components[Kind.EXPORTER].items() if one.factory.type == "ledger"}
    pipelines = {
        id_: PipelineConfig(("stored",), tuple(end for end in wanted.exporters if end in ledgers), wanted.processors)
        for id_, wanted in config.service.pipelines.items()
        if id_.partition("/")[0] == Signal.TRACES and any(end in ledgers for end in wanted.exporters)
    }
    if not pipelines:
        raise ConfigError("no traces pipeline ends in a ledger; add `ledger` to the exporters of one")
    components = {
        Kind.RECEIVER: {"stored": ComponentConfig(_STORED, _Config())},
        Kind.PROCESSOR: config.components[Kind.PROCESSOR],
        Kind.EXPORTER: ledgers,
        Kind.CONNECTOR: {},
    }
    return GatewayConfig(components, replace(config.service, pipelines=pipelines, web=WebConfig(None)))


async def ingest(config: GatewayConfig, data_dir: Path, payloads: Iterable[Payload]) -> Ingested:
    """Bring traces into the ledger and return when they are there.

    Raises:
        InvalidDataError: a request cannot be read; those before it are in the ledger.
        StorageError: the journal or the ledger cannot be used.
        CarbonError: the ledger did not take everything; what is left is taken up by the next call.
    """
    gateway = Gateway(config, data_dir, source="ingest", journal_dir=data_dir / _FOLDER)
    await gateway.start()
    numbers = {"requests": 0, "skipped": 0, "spans": 0, "unaccountable": 0}
    try:
        await _feed(gateway.receivers["stored"].take, payloads, numbers)
    finally:
        errors = [str(cursor["last_error"]) for cursor in gateway.describe()["cursors"].values()]
        left = await gateway.stop(float("inf"))
    if left:
        raise CarbonError(f"the ledger did not take everything ({', '.join(errors)}); run the same command again")
    return Ingested(**numbers, **_outcomes(gateway, config.components[Kind.EXPORTER]))


async def _feed(take: Consumer, payloads: Iterable[Payload], numbers: dict[str, int]) -> None:
    """Hand over the payloads, some at a time; one that cannot be read does not stop those on their way."""
    room, errors = asyncio.Semaphore(_IN_FLIGHT), list[CarbonError]()
    async with asyncio.TaskGroup() as tasks:
        try:
            for payload in payloads:
                numbers["requests"] += 1
                if payload.signal is not Signal.TRACES:
                    numbers["skipped"] += 1
                    continue
                numbers["spans"] += payload.items
                numbers["unaccountable"] += rejections(payload.body)[0]
                await room.acquire()
                tasks.create_task(_take(take, payload, errors)).add_done_callback(lambda _: room.release())
                await asyncio.sleep(0)
        except CarbonError as error:
            errors.append(error)
    if errors:
        raise errors[0]


async def _take(take: Consumer, payload: Payload, errors: list[CarbonError]) -> None:
    while True:
        try:
            return await take(payload)
        except UnavailableError as error:  # the ledger is behind: wait for it, there is no sender to send again
            await asyncio.sleep(error.retry_after_s)
        except CarbonError as error:
            return errors.append(error)


def _outcomes(gateway: Gateway, ledgers: Mapping[str, ComponentConfig]) -> dict[str, int]:
    def spans(outcome: str) -> int:
        return int(sum(gateway.telemetry.value("ledger_spans", exporter=id_, outcome=outcome) for id_ in ledgers))

    seen = sum(spans(each) for each in ("counted", "duplicate", "failed", "parent", "replayed", "conflict"))
    counted, duplicates = spans("counted"), spans("duplicate")
    replayed, conflicts = spans("replayed"), spans("conflict")
    return {"seen": seen, "counted": counted, "duplicates": duplicates, "replayed": replayed, "conflicts": conflicts}


@dataclass(frozen=True, slots=True)
class _Config:
    """Nothing to set."""


class _Stored:
    """The receiver of stored requests: somebody hands them to `take`."""

    def __init__(self, _config: _Config, settings: Settings) -> None:
        self.take: Callable[[Payload], Awaitable[None]] = settings.consumers[Signal.TRACES]
        self.endpoints: Mapping[str, str] = {}

    async def start(self) -> None:
        """Nothing to start."""

    async def shutdown(self) -> None:
        """Nothing to stop."""


_STORED = Factory("stored", Kind.RECEIVER, Stability.BETA, frozenset({Signal.TRACES}), _Config, _Stored)
