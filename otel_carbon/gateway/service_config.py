"""`service` in the config: the pipelines, and the settings of the process itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.own_footprint import EnergyConfig
from otel_carbon.gateway.topology import PipelineConfig
from otel_carbon.gateway.tracing_config import TracesConfig
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.guard import check_listener
from otel_carbon.security.tokens import AuthConfig

__all__ = [
    "DeadLettersConfig",
    "JournalConfig",
    "LogSamplingConfig",
    "LogsConfig",
    "ServiceConfig",
    "TelemetryConfig",
    "WebConfig",
    "share_bytes",
]

_GIB = 1 << 30
_MIB = 1 << 20
_MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """`service::journal`: how much may wait to be delivered, how long, and what an acknowledgement outlives.

    Raises:
        ConfigError: the size is not positive, or the age is no duration longer than nothing.
    """

    max_bytes: int = 2 * _GIB
    max_age: str | None = "168h"
    """In time that the gateway ran; null is no limit."""
    fsync: bool = True

    def __post_init__(self) -> None:
        """Refuse a journal that could hold nothing."""
        if self.max_bytes <= 0:
            raise ConfigError("max_bytes: must be more than 0; the default is 2GiB")
        if self.max_age is not None and duration_s(self.max_age, "max_age") <= 0:
            raise ConfigError("max_age: nothing could wait for 0s; write null for no limit, or leave it out for 168h")


@dataclass(frozen=True, slots=True)
class DeadLettersConfig:
    """`service::dead_letters`: how much is kept of what destinations do not take; the oldest makes room.

    Raises:
        ConfigError: the size is not positive.
    """

    max_bytes: int = 256 * _MIB

    def __post_init__(self) -> None:
        """Refuse a store that could hold nothing."""
        if self.max_bytes <= 0:
            raise ConfigError("max_bytes: must be more than 0; the default is 256MiB")


@dataclass(frozen=True, slots=True)
class WebConfig:
    """`service::web`: where health, metrics, report and status page are served; null is off.

    Raises:
        ConfigError: the endpoint is not host:port, or can be reached by others and nothing asks who they are.
    """

    endpoint: str | None = "127.0.0.1:8080"
    tls: ServerTlsConfig | None = None
    auth: AuthConfig | None = None
    allow_unauthenticated: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be listened on, or should not be."""
        check_listener(self, "")


@dataclass(frozen=True, slots=True)
class LogSamplingConfig:
    """`service::telemetry::logs::sampling`: how much of a message that repeats is written, as in the Collector.

    Raises:
        ConfigError: a value is out of range.
    """

    enabled: bool = True
    tick: str = "10s"
    initial: int = 10
    thereafter: int = 100
    """Of what repeats beyond `initial` in one tick, every so manieth is written; 0 is none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if duration_s(self.tick, "tick") <= 0:
            raise ConfigError("tick: must be longer than 0s; enabled: false switches sampling off")
        if self.initial < 1:
            raise ConfigError("initial: must be at least 1")
        if self.thereafter < 0:
            raise ConfigError("thereafter: must be at least 0, which writes none")


@dataclass(frozen=True, slots=True)
class LogsConfig:
    """`service::telemetry::logs`: the gateway's own log, on stderr."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    encoding: Literal["console", "json"] = "console"
    sampling: LogSamplingConfig = field(default_factory=LogSamplingConfig)
    initial_fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """`service::telemetry`: what the gateway tells about itself."""

    logs: LogsConfig = field(default_factory=LogsConfig)
    energy: EnergyConfig = field(default_factory=EnergyConfig)
    traces: TracesConfig = field(default_factory=TracesConfig)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """`service`: the pipelines, and the settings of the process.

    `drain_timeout` is how long a stopping gateway goes on delivering; the rest stays in the journal. `workers` is how
    many processes share the ports; each has a journal and dead letters of its own, so that the sizes are dealt out.

    Raises:
        ConfigError: the timeout is not a duration, or the number of workers makes no sense.
    """

    pipelines: Mapping[str, PipelineConfig]
    data_dir: str | None = None
    journal: JournalConfig = field(default_factory=JournalConfig)
    dead_letters: DeadLettersConfig = field(default_factory=DeadLettersConfig)
    web: WebConfig = field(default_factory=WebConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    drain_timeout: str = "10s"
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        duration_s(self.drain_timeout, "drain_timeout")
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise ConfigError(f"workers: must be between 1 and {_MOST_WORKERS}; one per core is as many as help")
        if self.workers > 1 and not sys.platform.startswith("linux"):
            raise ConfigError("workers: only Linux deals connections out to several processes; leave it at 1")


def share_bytes(service: ServiceConfig, max_bytes: int) -> int:
    """Return what each worker may take of a size on the disk: together they take no more than was asked for."""
    return max(1, max_bytes // service.workers)
