"""Dashboards that say whether everything is counted and delivered."""

from __future__ import annotations

from grafana_panels import Page, Panel
from grafana_queries import CALLS, RANGE, RATE, coverage, spans, summed

__all__ = ["HEALTH", "SAMPLING"]

SAMPLING = Page(
    "otel-carbon-sampling",
    "GenAI carbon: sampling and duplicates",
    "Whether every call is counted, and counted once.",
    (),
    [
        Panel(
            "Spans by status",
            "bars",
            "short",
            [
                (
                    summed(f"increase(otel_carbon_enriched_spans_total[{RANGE}])", "otel_carbon_status"),
                    "{{otel_carbon_status}}",
                )
            ],
            "duplicate: another span of the same request stands for the call.",
        ),
        Panel(
            "Calls that a span stands for",
            "stat",
            "short",
            [
                (
                    f"sum(increase({CALLS}[{RANGE}])) / ({spans('estimated|no_usage|unknown_model')} > 0)",
                    "calls per span",
                )
            ],
            "Above 1 where a sampler dropped spans and said how many: their calls are counted all the same.",
        ),
        Panel(
            "Calls taken back",
            "stat",
            "short",
            [(f"sum(increase(otel_carbon_calls_reversed_total[{RANGE}]))", "calls")],
            "Two libraries reported one call in different requests; the ledger counts one of the spans.",
        ),
        Panel(
            "gCO2e taken back",
            "stat",
            "massg",
            [(f"sum(increase(otel_carbon_co2e_reversed_grams_total[{RANGE}]))", "taken back")],
            "Already subtracted on the other dashboards.",
        ),
        Panel(
            "How spans came out in the ledger",
            "series",
            "short",
            [(summed(f"rate(otelcarbon_ledger_spans[{RATE}])", "outcome"), "{{outcome}}")],
            "Spans per second. conflict: one id with different content; the first one stays.",
            24,
        ),
        Panel(
            "Coverage",
            "series",
            "percentunit",
            [(coverage(RATE), "estimated")],
            "Share of calls with an estimate.",
            24,
        ),
    ],
)


def _rate(metric: str, by: str) -> str:
    return summed(f"rate(otelcarbon_{metric}[{RATE}])", by)


HEALTH = Page(
    "otel-carbon-gateway",
    "GenAI carbon: gateway",
    "Whether the gateway takes and delivers everything. Its /metrics, scraped.",
    (),
    [
        Panel(
            "Accepted spans per second",
            "series",
            "short",
            [(_rate("receiver_accepted_spans", "receiver, transport"), "{{receiver}} {{transport}}")],
            "Acknowledged: they are on disk.",
        ),
        Panel(
            "Spans that were not taken, per second",
            "series",
            "short",
            [
                (_rate("receiver_refused_spans", "receiver"), "{{receiver}} refused"),
                (_rate("receiver_failed_spans", "receiver"), "{{receiver}} failed"),
            ],
            "Refused: the sender still has them. Empty as long as there was none.",
        ),
        Panel(
            "Delivered per second",
            "series",
            "short",
            [
                (_rate("exporter_sent_spans", "exporter"), "{{exporter}} spans"),
                (_rate("exporter_sent_metric_points", "exporter"), "{{exporter}} metric points"),
            ],
            "What destinations took.",
        ),
        Panel(
            "Never taken, per second",
            "series",
            "short",
            [
                (_rate("exporter_send_failed_spans", "exporter"), "{{exporter}} spans"),
                (_rate("exporter_send_failed_metric_points", "exporter"), "{{exporter}} metric points"),
            ],
            "Permanent errors. Empty as long as there was none.",
        ),
        Panel(
            "Waiting in the journal",
            "series",
            "bytes",
            [("sum by (exporter, data_type) (otelcarbon_exporter_queue_size)", "{{exporter}} {{data_type}}")],
            "Per destination. Nothing is dropped; a full journal refuses.",
        ),
        Panel(
            "Journal used",
            "series",
            "percentunit",
            [
                (
                    "max by (instance) (otelcarbon_exporter_queue_size / otelcarbon_exporter_queue_capacity)",
                    "{{instance}}",
                )
            ],
            "Of the most that it holds, by its slowest destination.",
        ),
        Panel("CPU", "series", "percentunit", [(_rate("process_cpu_seconds", "instance"), "{{instance}}")], "Cores."),
        Panel("Memory", "series", "bytes", [("otelcarbon_process_memory_rss", "{{instance}}")], "Resident."),
    ],
)
