"""Answers get lost, so requests come again, merged otherwise and in parts: the ledger behind them counts once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

from spans import span_id, traces
from tcp import connected, listening

from otel_carbon.errors import RetryableExportError
from otel_carbon.exporters._queue_config import BatchConfig, QueueConfig
from otel_carbon.exporters.otlp_http import Config, OtlpHttpExporter
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.gateway.service import Gateway
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal

_GATEWAY = """\
    receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
    processors: {carbon: }
    exporters: {ledger: }
    service:
      web: {endpoint: null}
      pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [ledger]}}
    """
_LOST = 5


async def test_the_ledger_counts_once_what_is_sent_again_because_answers_were_lost(tmp_path: Path) -> None:
    gateway = Gateway(parse_config(dedent(_GATEWAY), {}, Catalogue.bundled(), source="test"), tmp_path, source="test")
    await gateway.start()
    answers = 0

    async def lose_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a request on and wait for its answer; hang up instead of passing the first ones back."""
        nonlocal answers
        async with connected(gateway.endpoints["http"].partition("://")[2]) as (to_reader, to_writer):
            upstream = asyncio.create_task(_copy(reader, to_writer))
            while piece := await to_reader.read(65536):
                answers += 1
                if answers <= _LOST:
                    break
                writer.write(piece)
            upstream.cancel()

    entries = [JournalEntry(n, 0, Payload(Signal.TRACES, traces(10 * n, 10), 10)) for n in range(1, 5)]
    async with listening(lose_answers) as address:
        for queue in (QueueConfig(), QueueConfig(batch=BatchConfig(min_size=0, max_size=7))):
            await _deliver(Config(f"http://{address}", sending_queue=queue), entries)
            answers = 0
    await gateway.stop()

    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        lines = [row[0] for row in db.execute("SELECT span_id FROM lines ORDER BY span_id")]
    assert lines == [span_id(number) for number in range(10, 50)]


async def _deliver(config: Config, entries: list[JournalEntry]) -> None:
    exporter = OtlpHttpExporter(config, Settings("otlp_http/test", {}, {}))
    await exporter.start()
    lost = 0
    while True:
        try:
            await exporter.export(entries)
        except RetryableExportError:
            lost += 1
            continue
        break
    await exporter.shutdown()
    assert lost > 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
