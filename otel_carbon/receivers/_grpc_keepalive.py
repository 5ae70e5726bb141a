"""Keys of `protocols::grpc::keepalive`, named as in the Collector's `configgrpc`, in the terms of the gRPC library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.duration import duration_s

__all__ = ["EnforcementPolicy", "KeepaliveConfig", "ServerParameters", "keepalive_options"]

_PATH = "protocols::grpc::keepalive"
_MAX_MS = (1 << 31) - 1  # the library's word for "never", which is what a text that is left out means


@dataclass(frozen=True, slots=True)
class ServerParameters:
    """How long connections live, and how those that are dead are found. What is left out is the library's default."""

    max_connection_idle: str | None = None
    """How long a connection may have no call before it is closed; left out, for ever."""
    max_connection_age: str | None = None
    """How old a connection may become before it is closed in order; left out, any age."""
    max_connection_age_grace: str | None = None
    """How long calls may take to end on a connection that is too old; left out, for ever."""
    time: str = "2h"
    """How long nothing may come from a sender before it is asked whether it is there."""
    timeout: str = "20s"
    """How long it may take to answer that."""

    def __post_init__(self) -> None:
        """Refuse what is no duration."""
        for name in ("max_connection_idle", "max_connection_age", "max_connection_age_grace", "time", "timeout"):
            _milliseconds(getattr(self, name), f"{_PATH}::server_parameters::{name}")


@dataclass(frozen=True, slots=True)
class EnforcementPolicy:
    """How often a sender may ask whether we are there; one that does so more often is sent away (`too_many_pings`)."""

    min_time: str = "5m"
    """The time between two questions of a sender."""
    permit_without_stream: bool = False
    """Whether a sender may ask while it has no call."""

    def __post_init__(self) -> None:
        """Refuse what is no duration."""
        _milliseconds(self.min_time, f"{_PATH}::enforcement_policy::min_time")


@dataclass(frozen=True, slots=True)
class KeepaliveConfig:
    """Both halves of keep-alive."""

    server_parameters: ServerParameters = field(default_factory=ServerParameters)
    enforcement_policy: EnforcementPolicy = field(default_factory=EnforcementPolicy)


_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "max_connection_idle": "grpc.max_connection_idle_ms",
        "max_connection_age": "grpc.max_connection_age_ms",
        "max_connection_age_grace": "grpc.max_connection_age_grace_ms",
        "time": "grpc.keepalive_time_ms",
        "timeout": "grpc.keepalive_timeout_ms",
    }
)


def keepalive_options(config: KeepaliveConfig) -> list[tuple[str, int]]:
    """Return the options of a gRPC server."""
    policy = config.enforcement_policy
    given = ((option, getattr(config.server_parameters, name), name) for name, option in _OPTIONS.items())
    return [
        *((option, _milliseconds(text, f"{_PATH}::server_parameters::{name}")) for option, text, name in given if text),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _milliseconds(policy.min_time, f"{_PATH}::enforcement_policy::min_time"),
        ),
        ("grpc.keepalive_permit_without_calls", int(policy.permit_without_stream)),
    ]


def _milliseconds(text: str | None, key: str) -> int:
    milliseconds = _MAX_MS if text is None else round(duration_s(text, key) * 1000)
    if not 1 <= milliseconds <= _MAX_MS:
        raise ConfigError(f"{key} must be between 1ms and {_MAX_MS // 3_600_000}h")
    return milliseconds
