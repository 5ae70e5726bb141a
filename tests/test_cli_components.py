"""`otel-carbon components`: what a config can name."""

from __future__ import annotations

import json

from gateway_process import run_cli


def test_the_table_has_a_line_per_component() -> None:
    lines = run_cli("components").stdout.splitlines()

    assert lines[0].split() == ["kind", "type", "signals", "stability"]
    assert "exporter   ledger          traces                 beta" in lines
    assert "connector  carbon_metrics  traces -> metrics      beta" in lines


def test_the_json_names_signals_stability_and_old_names() -> None:
    rows = {(row["kind"], row["type"]): row for row in json.loads(run_cli("components", "--format", "json").stdout)}

    assert rows["exporter", "otlp_grpc"] == {
        "kind": "exporter",
        "type": "otlp_grpc",
        "signals": ["logs", "metrics", "traces"],
        "produces": [],
        "stability": "beta",
        "deprecated_names": ["otlp"],
    }
    assert ("receiver", "otlp") in rows
