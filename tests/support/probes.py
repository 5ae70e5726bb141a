"""Small real components: a receiver that tests put payloads into, an exporter that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from otel_carbon.errors import ConfigError, InvalidDataError
from otel_carbon.gateway.components import Catalogue
from otel_carbon.pipeline.component import Consumer, Factory, JournalEntry, Kind, Settings, Stability
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.retry import RetryConfig

__all__ = ["CATALOGUE", "Inlet", "Outlet", "payload"]


def payload(body: bytes, items: int = 1, signal: Signal = Signal.TRACES) -> Payload:
    return Payload(signal, body, items)


@dataclass(frozen=True, slots=True)
class _Limits:
    size: int = 1 << 20
    ratio: float = 0.5


@dataclass(frozen=True, slots=True)
class InletConfig:
    """A config with a field of every kind that the binder knows."""

    endpoint: str = "here"
    required_key: str = "set"
    enabled: bool = True
    mode: Literal["fast", "safe"] = "safe"
    limits: _Limits = field(default_factory=_Limits)
    extra: _Limits | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.endpoint == "nowhere":
            raise ConfigError("endpoint: 'nowhere' is not a place")


class Inlet:
    """A receiver without a port."""

    def __init__(self, config: InletConfig, settings: Settings) -> None:
        self.config = config
        self.consumers: Mapping[Signal, Consumer] = settings.consumers
        self.endpoints: dict[str, str] = {}
        self.no_room = settings.shared["no_room"]
        self.running = False

    async def start(self) -> None:
        if self.config.endpoint == "taken":
            raise ConfigError("endpoint: cannot listen on taken")
        self.running = True

    async def shutdown(self) -> None:
        self.running = False

    async def take(self, *payloads: Payload) -> None:
        for one in payloads:
            await self.consumers[one.signal](one)


@dataclass(frozen=True, slots=True)
class OutletConfig:
    """How the outlet behaves."""

    required: str
    retry_on_failure: RetryConfig = field(default_factory=lambda: RetryConfig(initial_interval="1ms"))


class Outlet:
    """An exporter that keeps what it gets. `failing` is raised instead of taking it, for as long as it is set.

    A body that is `fault` makes whatever it comes with fail in a way that nobody foresaw.
    """

    def __init__(self, config: OutletConfig, settings: Settings) -> None:
        self.retry = config.retry_on_failure
        self.required = getattr(config, "required", "")
        self.shared = settings.shared
        self.got: list[bytes] = []
        self.attempts = 0
        self.failing: Exception | None = None
        self.fault: bytes | None = None
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.started = self.stopped = False

    async def start(self) -> None:
        if self.required == "broken":
            raise ConfigError("required: is broken")
        self.started = True

    async def shutdown(self) -> None:
        self.stopped = True

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        self.attempts += 1
        await self.blocked.wait()
        if self.failing is not None:
            raise self.failing
        if self.fault in [entry.payload.body for entry in entries]:
            raise ZeroDivisionError("a fault")
        self.got += [entry.payload.body for entry in entries]


class Marker:
    """A processor that writes its name behind the body."""

    def __init__(self, _config: object, settings: Settings) -> None:
        self._mark = settings.id.encode()
        self.estimator = f"estimator of {settings.id}"

    def process(self, payload: Payload) -> Payload:
        if not payload.body:
            raise InvalidDataError("empty")
        return Payload(payload.signal, payload.body + b"+" + self._mark, payload.items)


class Counter:
    """A connector that turns every payload of traces into one of metrics, when it is stopped."""

    def __init__(self, _config: object, settings: Settings) -> None:
        self._consume = settings.consumers[Signal.METRICS]
        self.seen: list[bytes] = []

    async def start(self) -> None:
        return

    async def shutdown(self) -> None:
        seen, self.seen = self.seen, []
        for body in seen:
            await self._consume(payload(b"counted " + body, signal=Signal.METRICS))

    def observe(self, payload: Payload) -> None:
        self.seen.append(payload.body)


@dataclass(frozen=True, slots=True)
class _Nothing:
    pass


def _factory(type_: str, kind: Kind, config: type, create: Any, **more: Any) -> Factory[Any]:
    signals = more.pop("signals", frozenset(Signal))
    return Factory(type_, kind, Stability.BETA, signals, config, create, **more)


CATALOGUE = Catalogue(
    [
        _factory("inlet", Kind.RECEIVER, InletConfig, Inlet, aliases=("oldinlet",)),
        _factory("marker", Kind.PROCESSOR, _Nothing, Marker),
        _factory("outlet", Kind.EXPORTER, OutletConfig, Outlet),
        _factory("spanout", Kind.EXPORTER, _Nothing, Outlet, signals=frozenset({Signal.TRACES})),
        _factory("echo", Kind.EXPORTER, _Nothing, Outlet),
        _factory(
            "counter",
            Kind.CONNECTOR,
            _Nothing,
            Counter,
            signals=frozenset({Signal.TRACES}),
            produces=frozenset({Signal.METRICS}),
        ),
        _factory("echo", Kind.CONNECTOR, _Nothing, Counter, produces=frozenset(Signal)),
    ]
)
