"""`service::telemetry::traces`: whether and where the gateway sends traces of itself, in the Collector's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.endpoint import is_http_url
from otel_carbon.security.secret import Secret

__all__ = [
    "BatchConfig",
    "OtlpConfig",
    "SamplerConfig",
    "SpanExporterConfig",
    "SpanProcessorConfig",
    "TracesConfig",
]


@dataclass(frozen=True, slots=True)
class HeaderConfig:
    """One of `headers`."""

    name: str
    value: Secret


@dataclass(frozen=True, slots=True)
class OtlpConfig:
    """`exporter::otlp`, as in the declarative configuration of OpenTelemetry.

    Raises:
        ConfigError: a value cannot work.
    """

    endpoint: str
    """`http://host:port`; with `http/protobuf`, `/v1/traces` is put behind it where it has no path."""
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    headers: tuple[HeaderConfig, ...] = ()
    compression: Literal["gzip", "none"] = "none"
    timeout: int = 10_000
    """In ms."""
    certificate: str | None = None
    """File with the authorities of the destination, PEM."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not is_http_url(self.endpoint):
            raise ConfigError("endpoint: must be a URL, as http://localhost:4318")
        if self.timeout <= 0:
            raise ConfigError("timeout: must be more than 0, in ms")


@dataclass(frozen=True, slots=True)
class SpanExporterConfig:
    """`exporter`: where spans go."""

    otlp: OtlpConfig


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """`batch`: how spans are gathered. Times in ms, as in the declarative configuration.

    Raises:
        ConfigError: a value is out of range.
    """

    exporter: SpanExporterConfig
    schedule_delay: int = 5000
    max_queue_size: int = 2048
    max_export_batch_size: int = 512

    def __post_init__(self) -> None:
        """Refuse what the SDK would refuse."""
        if self.schedule_delay <= 0:
            raise ConfigError("schedule_delay: must be more than 0, in ms")
        if not 0 < self.max_export_batch_size <= self.max_queue_size:
            raise ConfigError("max_export_batch_size: must be at least 1 and at most max_queue_size")


@dataclass(frozen=True, slots=True)
class SpanProcessorConfig:
    """One of `processors`."""

    batch: BatchConfig


@dataclass(frozen=True, slots=True)
class _Empty:
    """A sampler without keys."""


@dataclass(frozen=True, slots=True)
class RatioConfig:
    """`trace_id_ratio_based`.

    Raises:
        ConfigError: the ratio is out of range.
    """

    ratio: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no ratio."""
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError("ratio: must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class ParentBasedConfig:
    """`parent_based`: what a sender decided holds, where `propagators` take its trace up; else the root decides."""

    root: SamplerConfig | None = None


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """`sampler`: which traces are kept.

    Raises:
        ConfigError: it names none, or several.
    """

    always_on: _Empty | None = None
    always_off: _Empty | None = None
    trace_id_ratio_based: RatioConfig | None = None
    parent_based: ParentBasedConfig | None = None

    def __post_init__(self) -> None:
        """Refuse what says nothing, or two things."""
        named = (self.always_on, self.always_off, self.trace_id_ratio_based, self.parent_based)
        if sum(one is not None for one in named) != 1:
            raise ConfigError("sampler: name one of always_on, always_off, trace_id_ratio_based and parent_based")

    @property
    def ratio(self) -> float:
        """Return which share of traces is kept."""
        if self.parent_based is not None:
            return 1.0 if self.parent_based.root is None else self.parent_based.root.ratio
        if self.trace_id_ratio_based is not None:
            return self.trace_id_ratio_based.ratio
        return 0.0 if self.always_off is not None else 1.0


@dataclass(frozen=True, slots=True)
class TracesConfig:
    """`service::telemetry::traces`. Without `processors` nothing is traced."""

    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """`none` switches tracing off; the others are the same here."""
    processors: tuple[SpanProcessorConfig, ...] = ()
    sampler: SamplerConfig | None = None
    """Left out, all traces are kept."""
    propagators: tuple[Literal["tracecontext"], ...] = ()
    """With `tracecontext`, a trace goes on that a sender names in `traceparent`; by default none does."""

    @property
    def enabled(self) -> bool:
        """Return whether there is anything to send, and somewhere to send it."""
        return self.level != "none" and bool(self.processors)
