"""The agreement between components and the service that runs them: life cycle, data flow, factory."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = [
    "Component",
    "Connector",
    "Consumer",
    "Exporter",
    "Factory",
    "JournalEntry",
    "Kind",
    "Processor",
    "Receiver",
    "Refusing",
    "Settings",
    "Stability",
    "Telemetry",
]

Consumer = Callable[[Payload], Awaitable[None]]
"""Takes a payload. Returning means: acknowledged, it is on disk.

Raises:
    InvalidDataError: never acceptable.
    TooLargeError: beyond the limit.
    UnavailableError: not now.
"""


class Kind(StrEnum):
    """The component kinds of the Collector."""

    RECEIVER = "receiver"
    PROCESSOR = "processor"
    EXPORTER = "exporter"
    CONNECTOR = "connector"


class Stability(StrEnum):
    """The Collector's stability levels that are in use here."""

    DEVELOPMENT = "development"
    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class Component(Protocol):
    """Anything with a life cycle. `shutdown` is safe to call twice and before `start`."""

    async def start(self) -> None:
        """Begin to work. Raises ConfigError or StorageError when that is impossible."""
        ...

    async def shutdown(self) -> None:
        """Stop, and finish what was begun."""
        ...


class Receiver(Component, Protocol):
    """Takes telemetry in and hands it to the consumer of its signal."""

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Return the bound address per protocol (`grpc`: host:port, `http`: http://host:port), known after start."""
        ...


class Processor(Protocol):
    """A pure step between receiver and journal. Must not block and must not keep a reference to the payload.

    A processor or exporter that knows spans by their ids has `accounts = True`: receivers then look for ids that are
    not valid, and tell the sender.
    """

    def process(self, payload: Payload) -> Payload:
        """Return the payload, changed or not. Raises InvalidDataError for data that cannot be read."""
        ...


@runtime_checkable
class Refusing(Protocol):
    """A processor or connector that can say before anything is read that it must not come: `memory_limiter`."""

    def refusal(self) -> str | None:
        """Return why everything is refused now; None when it is taken. May be called from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A payload in the journal. `position` grows by arrival; `received_unix_nano` is when it was acknowledged."""

    position: int
    received_unix_nano: int
    payload: Payload


class Exporter(Component, Protocol):
    """Takes entries from the journal. Each exporter has a cursor of its own and sees every entry at least once.

    The cursor is one per signal: entries of two signals may be on their way at the same time, entries of one signal
    never are. An exporter that stores its own position together with the data (the ledger) also has
    `async def position(self) -> int | None`: asked once after `start`, it is where the cursor resumes, whatever the
    journal remembers; None leaves that to the journal.

    When the config is read again, exporters are built anew and go on from their cursors. One that would lose something
    by that, as the series that it holds, has `stays_on_reload = True` and stays while its config is the same.
    """

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Deliver the entries, all of one signal, in order. Returning moves the cursor past them.

        Raises:
            RetryableExportError: try the same entries again later.
            PermanentExportError: these entries will never be taken; they are counted as failed and passed.
        """
        ...


class Connector(Component, Protocol):
    """The end of one pipeline and the beginning of another, as `carbon_metrics`: traces in, metrics out."""

    def observe(self, payload: Payload) -> None:
        """See a payload that has been acknowledged. Must not block."""
        ...


class Telemetry(Protocol):
    """The gateway's own metrics. Names are given without the prefix `otelcarbon_`; labels of one name never vary."""

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to a counter: `count("receiver_requests", receiver="otlp", transport="grpc", outcome="success")`."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    r"""What the service gives a component beside its config.

    `id` is the component's full name in the YAML (`otlp_grpc/tempo`). `consumers` holds, for a receiver or a
    connector, the consumer per signal it was wired to. `shared` holds what the process has one of:

    | key | value |
    |---|---|
    | `telemetry` | `Telemetry`, the gateway's own metrics |
    | `tallies` | list of `otel_carbon.pipeline.tally.Tally`: whoever counts adds its own, to hear what is taken back |
    | `data_dir` | `pathlib.Path` of the data directory |
    | `journal_id` | `str`, changes when the journal file is a new one; part of the name of a cursor kept elsewhere |
    | `estimator` | for exporters and connectors: the `Estimator` of the `carbon` processor in front of them, if any |
    | `reader` | for exporters: the `SpanReader` of that processor |
    | `no_room` | `Callable[[], str \| None]`: why the journal takes nothing now; refuse before reading |
    | `shares_ports` | for receivers: True where other processes of this gateway listen on the same ports |
    | `refusal` | for receivers and connectors: `Callable[[], str \| None]`, why a processor behind it would refuse |
    | `accounts` | for receivers and connectors: `Callable[[], bool]`, whether one behind it has `accounts = True` |
    """

    id: str
    consumers: Mapping[Signal, Consumer]
    shared: Mapping[str, Any]


C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Factory(Generic[C]):
    """How a component type is built. `config` is a frozen dataclass whose defaults are the documented defaults.

    `signals` is what the component takes, or, for a receiver, gives. A connector names what it gives in `produces`.
    """

    type: str
    kind: Kind
    stability: Stability
    signals: frozenset[Signal]
    config: builtins.type[C]
    create: Callable[[C, Settings], Any]
    aliases: tuple[str, ...] = ()
    produces: frozenset[Signal] = frozenset()
