"""What the gateway says of its own metrics."""

from __future__ import annotations

import pytest

from otel_carbon.gateway.telemetry import SelfMetrics, exposition


@pytest.mark.parametrize(
    ("name", "help_text"),
    [
        ("ledger_spans", "GenAI-related spans by outcome: counted, duplicate, failed, parent, replayed, conflict."),
        ("exporter_rejected_items", "Items that a destination took the request of but refused (partial success)."),
        ("exporter_dropped_metric_points", "Metric points that Prometheus cannot hold, by reason."),
    ],
)
def test_a_counter_of_an_exporter_says_what_it_counts(name: str, help_text: str) -> None:
    metrics = SelfMetrics()
    metrics.count(name, 2, exporter="ledger")

    lines = exposition(metrics.families()).splitlines()

    assert f"# HELP otelcarbon_{name} {help_text}" in lines
    assert f'otelcarbon_{name}{{exporter="ledger"}} 2.0' in lines
