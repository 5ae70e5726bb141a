"""The `memory_limiter` processor: refuses data before memory runs out, as the Collector's does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otel_carbon.errors import ConfigError, UnavailableError
from otel_carbon.pipeline.component import Factory, Kind, Settings, Stability, Telemetry
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.memory import total_bytes
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors._memory_limit import MemoryLimit, Thresholds

__all__ = ["FACTORY", "Config", "MemoryLimiter"]

_MIB = 1 << 20
_SPIKE_PERCENT = 20
_RETRY_AFTER_S = 5.0
_ITEMS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
)
_DURATIONS = (
    "min_gc_interval_when_soft_limited",
    "min_gc_interval_when_hard_limited",
    "max_gc_interval_when_soft_limited",
    "max_gc_interval_when_hard_limited",
)


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the processor, with the Collector's keys and defaults.

    Raises:
        ConfigError: there is no limit, or one that cannot work.
    """

    check_interval: str = "0s"
    """How often memory is measured; it must be set, and `1s` is a good value."""
    limit_mib: int = 0
    """Hard limit of the process's resident memory, in MiB; goes before the percentage."""
    spike_limit_mib: int = 0
    """How much may come in one interval, in MiB; the soft limit is this far below the hard one. 0 is 20 % of it."""
    limit_percentage: int = 0
    """Hard limit in percent of the memory of the control group, or else of the machine."""
    spike_limit_percentage: int = 0
    """As `spike_limit_mib`, in percent of the memory; 0 is 20 % of the limit."""
    min_gc_interval_when_soft_limited: str = "10s"
    min_gc_interval_when_hard_limited: str = "0s"
    max_gc_interval_when_soft_limited: str = "30s"
    max_gc_interval_when_hard_limited: str = "30s"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if duration_s(self.check_interval, "check_interval") <= 0:
            raise ConfigError("check_interval: must be set, and longer than 0s; 1s is a good value")
        for name in _DURATIONS:
            duration_s(getattr(self, name), name)
        if self.limit_mib <= 0 and self.limit_percentage <= 0:
            raise ConfigError("limit_mib: is missing; set it or limit_percentage")
        if self.limit_mib > 0 and not 0 <= self.spike_limit_mib < self.limit_mib:
            raise ConfigError("spike_limit_mib: must be smaller than limit_mib, and not negative")
        if self.limit_percentage > 100:
            raise ConfigError("limit_percentage: must be between 1 and 100")
        if self.limit_percentage > 0 and not 0 <= self.spike_limit_percentage < self.limit_percentage:
            raise ConfigError("spike_limit_percentage: must be smaller than limit_percentage, and not negative")

    def thresholds(self, memory_bytes: int) -> Thresholds:
        """Return the limits in a place with this much memory."""
        if self.limit_mib > 0:
            hard_bytes, spike_bytes = self.limit_mib * _MIB, self.spike_limit_mib * _MIB
        else:
            hard_bytes = memory_bytes * self.limit_percentage // 100
            spike_bytes = memory_bytes * self.spike_limit_percentage // 100
        spike_bytes = spike_bytes or hard_bytes * _SPIKE_PERCENT // 100
        interval_s, *waits_s = (duration_s(getattr(self, name), name) for name in ("check_interval", *_DURATIONS))
        return Thresholds(hard_bytes, hard_bytes - spike_bytes, interval_s, *waits_s)


class MemoryLimiter:
    """Lets data pass while memory is within its limits. Thread-safe."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._id = settings.id
        self._telemetry: Telemetry | None = settings.shared.get("telemetry")
        self._limit = MemoryLimit(config.thresholds(total_bytes()))

    def refusal(self) -> str | None:
        """Return why data must be refused now; None when it is taken. Receivers ask before they read a body."""
        if self._limit.refuses():
            return f"data refused due to high memory usage; {self._id} takes data again when there is less in memory"
        return None

    def process(self, payload: Payload) -> Payload:
        """Return the payload as it is.

        Raises:
            UnavailableError: there is too much in memory; the sender still has the data and sends it again.
        """
        refusal = self.refusal()
        self._count("accepted" if refusal is None else "refused", payload)
        if refusal is not None:
            raise UnavailableError(refusal, _RETRY_AFTER_S)
        return payload

    def _count(self, outcome: str, payload: Payload) -> None:
        if self._telemetry is not None:
            name = f"processor_memory_limiter_{outcome}_{_ITEMS[payload.signal]}"
            self._telemetry.count(name, payload.items, processor=self._id)


FACTORY = Factory(
    type="memory_limiter",
    kind=Kind.PROCESSOR,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=MemoryLimiter,
)
