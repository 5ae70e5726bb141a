"""What the ledger holds of a capture after `ingest`."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from captures import Capture, served_nothing

from otel_carbon.cli.serve import gateway_config
from otel_carbon.gateway.ingest import ingest, ingest_config
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Signal

__all__ = ["counted"]

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
