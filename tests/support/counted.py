"""What the ledger holds of a capture after `ingest`."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from captures import FOLDER, Capture, captures, served_nothing

from otel_carbon.cli.serve import gateway_config
from otel_carbon.gateway.ingest import ingest, ingest_config
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Signal

__all__ = ["COUNTED", "Counts", "counted", "csv_of"]

COUNTED = FOLDER / "counted.csv"
Counts = Mapping[str, Mapping[str, int]]
"""By case and kind."""

_SUMS = """
    SELECT trace_id, SUM(calls) AS calls, SUM(input_tokens) AS input, SUM(output_tokens) AS output,
           SUM(cache_read_tokens) AS cache_read, SUM(cache_write_tokens) AS cache_write,
           SUM(reasoning_tokens) AS reasoning
    FROM lines GROUP BY trace_id
"""


def counted(capture: Capture, folder: Path) -> dict[str, dict[str, int]]:
    """Send a capture through `ingest` into a ledger of its own and return, by case, what was counted."""
    payloads = [parse(Signal.TRACES, body) for body in capture.bodies]
    asyncio.run(ingest(ingest_config(gateway_config(None, {})), folder, payloads))
    found = {case: served_nothing() for case in capture.served}
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(_SUMS):
            sums = found[capture.case_of.get(row["trace_id"], "app")]
            for kind in sums:
                sums[kind] += round(row[kind] or 0)
    return found


def csv_of(ledgers: Mapping[str, Counts]) -> str:
    """Return, for every capture, how many of its cases are exact, and in how many too little or too much is counted."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("capture", "language", "versions", "cases", "exact", "under", "over"))
    for capture in sorted(captures(), key=lambda each: (each.language, each.name)):
        versions = "; ".join(f"{name} {version}" for name, version in capture.versions.items())
        found = [_comparison(ledgers[capture.name][case], served) for case, served in capture.served.items()]
        counts = (found.count("exact"), found.count("under"), found.count("over"))
        rows.writerow((capture.name, capture.language, versions, len(found), *counts))
    return table.getvalue()


def _comparison(counts: Mapping[str, int], served: Mapping[str, int]) -> str:
    if any(counts[kind] > number for kind, number in served.items()):
        return "over"
    return "exact" if counts == served else "under"
