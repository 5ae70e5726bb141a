"""The gateway's own metrics: what each is called, counts, and has for a counterpart in the Collector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["PREFIX", "SELF_METRICS", "SelfMetric"]

PREFIX = "otelcarbon_"

_ITEMS = {"spans": "{span}", "metric_points": "{datapoint}", "log_records": "{record}"}


@dataclass(frozen=True, slots=True)
class SelfMetric:
    """One metric, its name without the prefix. `like_collector`: the Collector has it as `otelcol_` and this name."""

    name: str
    type: Literal["counter", "gauge"]
    unit: str
    labels: tuple[str, ...]
    help: str
    like_collector: bool = False


def _per_item(name: str, labels: str, help_: str) -> Iterable[SelfMetric]:
    for item, unit in _ITEMS.items():
        yield SelfMetric(f"{name}_{item}", "counter", unit, tuple(labels.split()), help_, like_collector=True)


def _all() -> Iterable[SelfMetric]:
    yield from _per_item("receiver_accepted", "receiver transport", "Items that were acknowledged: they are on disk.")
    yield from _per_item("receiver_refused", "receiver transport", "Items that were not taken; the sender has them.")
    yield from _per_item("receiver_failed", "receiver transport", "Items that were lost to an error in the gateway.")
    yield SelfMetric(
        "receiver_requests", "counter", "{request}", ("outcome", "receiver", "transport"), "Requests by outcome.", True
    )
    processor = ("otel_signal", "processor")
    yield SelfMetric(
        "processor_incoming_items", "counter", "{item}", processor, "Items that came into a processor.", True
    )
    yield SelfMetric("processor_outgoing_items", "counter", "{item}", processor, "Items that left a processor.", True)
    yield from _per_item("processor_memory_limiter_accepted", "processor", "Items that a memory limiter let pass.")
    yield from _per_item(
        "processor_memory_limiter_refused", "processor", "Items that a memory limiter refused; the sender has them."
    )
    text = "Spans and log records that a redact processor took content out of."
    yield SelfMetric("processor_redacted_items", "counter", "{item}", processor, text)
    yield from _per_item("exporter_sent", "exporter", "Items that a destination took.")
    yield from _per_item("exporter_send_failed", "exporter", "Items not taken, kept as dead letters.")
    yield from _of_exporters()
    yield from _of_the_process()


def _of_exporters() -> Iterable[SelfMetric]:
    text = "Items that a destination took the request of but refused (partial success)."
    yield SelfMetric("exporter_rejected_items", "counter", "{item}", ("exporter", "signal"), text)
    text = "Metric points that Prometheus cannot hold, by reason."
    yield SelfMetric("exporter_dropped_metric_points", "counter", "{datapoint}", ("exporter", "reason"), text)
    cursor = ("data_type", "exporter")
    text = "Bytes that wait in the journal for an exporter."
    yield SelfMetric("exporter_queue_size", "gauge", "By", cursor, text, like_collector=True)
    text = "Bytes that the journal holds at most."
    yield SelfMetric("exporter_queue_capacity", "gauge", "By", cursor, text, like_collector=True)
    text = "Deliveries that are on their way."
    yield SelfMetric("exporter_in_flight_requests", "gauge", "{request}", cursor, text, like_collector=True)
    text = "GenAI-related spans by outcome: counted, duplicate, failed, parent, replayed, conflict."
    yield SelfMetric("ledger_spans", "counter", "{span}", ("exporter", "outcome"), text)
    text = "Payloads that a destination did not take and that are kept."
    yield SelfMetric("dead_letters", "gauge", "{payload}", cursor, text)
    yield SelfMetric("dead_letters_size", "gauge", "By", cursor, "Bytes of dead letters.")
    text = "Dead letters that had to make room for newer ones."
    yield SelfMetric("dead_letters_dropped", "counter", "{payload}", (), text)
    yield SelfMetric("journal_size", "gauge", "By", (), "Bytes that somebody still has to get.")
    text = "How long the oldest of them has waited while the gateway ran."
    yield SelfMetric("journal_oldest_age_seconds", "gauge", "s", (), text)
    text = "Payloads of a damaged journal that not everybody gets."
    yield SelfMetric("journal_damaged_payloads", "gauge", "{payload}", (), text)
    yield SelfMetric("journal_damaged_items", "gauge", "{item}", (), "Spans, data points and log records in them.")


def _of_the_process() -> Iterable[SelfMetric]:
    text = "Energy that the gateway itself used, at the server, with its bounds."
    yield SelfMetric("process_energy_joules", "counter", "J", ("bound",), text)
    text = "Emissions of that energy, at the meter of the facility."
    yield SelfMetric("process_co2e_grams", "counter", "g", ("bound",), text)
    text = "Emissions that the gateway put on calls since it started."
    yield SelfMetric("measured_co2e_grams", "counter", "g", ("bound",), text)
    text = "The gateway's own emissions over those that it measured; absent until there are any."
    yield SelfMetric("process_co2e_ratio", "gauge", "1", ("bound",), text)
    text = "Workers that take data, where there are several processes."
    yield SelfMetric("workers", "gauge", "{worker}", (), text)
    text = "Times a worker was started again."
    yield SelfMetric("worker_restarts", "counter", "{restart}", (), text)
    text = "Times the config was read again, by outcome: success, refused."
    yield SelfMetric("config_reloads", "counter", "{reload}", ("outcome",), text)
    text = "1 when the config that was read last is in force, 0 when it was refused."
    yield SelfMetric("config_last_reload_successful", "gauge", "", (), text)
    text = "When the config that is in force was read, in Unix seconds."
    yield SelfMetric("config_last_reload_success_timestamp_seconds", "gauge", "s", (), text)
    yield SelfMetric("process_uptime", "counter", "s", (), "Seconds since the start.", like_collector=True)
    text = "CPU time of the process, user and system."
    yield SelfMetric("process_cpu_seconds", "counter", "s", (), text, like_collector=True)
    yield SelfMetric("process_memory_rss", "gauge", "By", (), "Resident memory in bytes.", like_collector=True)


SELF_METRICS: Mapping[str, SelfMetric] = MappingProxyType({metric.name: metric for metric in _all()})
"""Every metric of the gateway by its name without the prefix, in the order of the documents."""
