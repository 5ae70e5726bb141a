"""The gateway's own metrics, under the Collector's names with the prefix `otelcarbon_`."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otel_carbon.pipeline.memory import resident_bytes

__all__ = ["Family", "SelfMetrics", "exposition"]

Labels = tuple[tuple[str, str], ...]

_PREFIX = "otelcarbon_"
_HELP: Mapping[str, str] = MappingProxyType(
    {
        "receiver_accepted": "Items that were acknowledged: they are on disk.",
        "receiver_refused": "Items that were not taken; the sender still has them.",
        "receiver_failed": "Items that were lost to an error in the gateway.",
        "receiver_requests": "Requests by outcome.",
        "processor_incoming_items": "Items that came into a processor.",
        "processor_outgoing_items": "Items that left a processor.",
        "processor_redacted_items": "Spans and log records that a redact processor took content out of.",
        "processor_memory_limiter_accepted": "Items that a memory limiter let pass.",
        "processor_memory_limiter_refused": "Items that a memory limiter refused; the sender still has them.",
        "exporter_sent": "Items that a destination took.",
        "exporter_send_failed": "Items that a destination will never take.",
        "exporter_rejected_items": "Items that a destination took the request of but refused (partial success).",
        "exporter_dropped_metric_points": "Metric points that Prometheus cannot hold, by reason.",
        "ledger_spans": "GenAI-related spans by outcome: counted, duplicate, failed, parent, replayed, conflict.",
        "exporter_queue_size": "Bytes that wait in the journal for an exporter.",
        "exporter_queue_capacity": "Bytes that the journal holds at most.",
        "exporter_in_flight_requests": "Deliveries that are on their way.",
        "journal_size": "Bytes that somebody still has to get.",
        "config_reloads": "Times the config was read again, by outcome: success, refused.",
        "config_last_reload_successful": "1 when the config that was read last is in force, 0 when it was refused.",
        "config_last_reload_success_timestamp_seconds": "When the config that is in force was read, in Unix seconds.",
        "journal_oldest_age_seconds": "How long the oldest of them has waited while the gateway ran.",
        "journal_damaged_payloads": "Payloads of a damaged journal that not everybody gets.",
        "journal_damaged_items": "Spans, data points and log records in them.",
        "process_uptime": "Seconds since the start.",
        "process_cpu_seconds": "CPU time of the process, user and system.",
        "process_memory_rss": "Resident memory in bytes.",
    }
)


@dataclass(frozen=True, slots=True)
class Family:
    """All values of one metric."""

    name: str
    type: str
    """`counter` or `gauge`."""
    values: Mapping[Labels, float]


class SelfMetrics:
    """Counters that components add to, and gauges that are asked when somebody looks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[str, Callable[[], Mapping[Labels, float]]] = {}
        self._started_s = time.monotonic()

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            values = self._counters.setdefault(name, {})
            values[key] = values.get(key, 0.0) + value

    def gauge(self, name: str, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Register a gauge. `read` may be called from any thread."""
        self._gauges[name] = read

    def value(self, name: str, **labels: str) -> float:
        """Return what has been counted under exactly these labels."""
        with self._lock:
            return self._counters.get(name, {}).get(tuple(sorted(labels.items())), 0.0)

    def families(self) -> list[Family]:
        """Return everything, by name."""
        with self._lock:
            found = [Family(name, "counter", dict(values)) for name, values in self._counters.items()]
        found += [Family(name, "gauge", read()) for name, read in self._gauges.items()]
        return sorted([*found, *self._process()], key=lambda family: family.name)

    def _process(self) -> Iterable[Family]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield Family("process_uptime", "counter", {(): time.monotonic() - self._started_s})
        yield Family("process_cpu_seconds", "counter", {(): usage.ru_utime + usage.ru_stime})
        memory_bytes = resident_bytes()
        if memory_bytes is not None:
            yield Family("process_memory_rss", "gauge", {(): float(memory_bytes)})


def exposition(families: Iterable[Family]) -> str:
    """Return the metrics in the Prometheus text format 0.0.4.

    Names stand as they are, without `_total`, as those of the Collector do: a dashboard for it needs one replacement.
    """
    lines: list[str] = []
    for family in families:
        name = f"{_PREFIX}{family.name}"
        lines += [f"# HELP {name} {_help(family.name)}", f"# TYPE {name} {family.type}"]
        lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in sorted(family.values.items())]
    return "\n".join(lines) + "\n"


def _help(name: str) -> str:
    found = [text for prefix, text in _HELP.items() if name.startswith(prefix)]
    return found[0] if found else name.replace("_", " ")


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
