"""A server that gives every answer the same id, through the whole gateway: every call is in ledger and metrics."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from spans import traces

from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.gateway.service import Gateway
from otel_carbon.pipeline.tally import Tally

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SECOND_NS = 1_000_000_000
_CONFIG = """\
    receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
    processors: {carbon: }
    exporters: {ledger: , debug: }
    connectors: {carbon_metrics: }
    service:
      pipelines:
        traces: {receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}
        metrics: {receivers: [carbon_metrics], exporters: [debug]}
    """


def _request(first: int, count: int, scope: str, *, starts_s: float, lasts_s: float) -> bytes:
    """Return calls that follow each other, every two seconds, all with the response id `chatcmpl-0`."""
    request = ExportTraceServiceRequest.FromString(traces(first, count))
    request.resource_spans[0].scope_spans[0].scope.name = scope
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.start_time_unix_nano += round((2 * number + starts_s) * _SECOND_NS)
        span.end_time_unix_nano = span.start_time_unix_nano + round(lasts_s * _SECOND_NS)
        for attribute in span.attributes:
            if attribute.key == "gen_ai.response.id":
                attribute.value.string_value = "chatcmpl-0"
    return request.SerializeToString()


async def _sent(data_dir: Path, *requests: bytes, text: str = _CONFIG) -> Tally:
    """Return what the metrics of a gateway count that has been stopped after it took these requests."""
    tallies: list[Tally] = []
    config = parse_config(dedent(text), {}, Catalogue.bundled(), source="test")
    gateway = Gateway(config, data_dir, source="test", shared={"tallies": tallies})
    await gateway.start()
    try:
        async with grpc.aio.insecure_channel(gateway.endpoints["grpc"].removeprefix("http://")) as channel:
            for request in requests:
                await channel.unary_unary(_EXPORT, None, None)(request, timeout=30)
    finally:
        await gateway.stop(30.0)
    (tally,) = tallies
    return tally


def _net_grams(tally: Tally) -> float:
    sums = tally.snapshot()
    return sum(sums["otel_carbon.co2e"].values()) - sum(sums["otel_carbon.co2e.reversed"].values())


def _ledger(data_dir: Path, name: str = "ledger.db") -> tuple[float, float]:
    with closing(sqlite3.connect(data_dir / name)) as db:
        calls, grams = db.execute("SELECT SUM(calls), SUM(co2e_grams_central) FROM lines").fetchone()
    return calls, grams


@pytest.mark.parametrize("batch", [1, 10, 50])
async def test_calls_after_each_other_with_one_response_id_all_count(tmp_path: Path, batch: int) -> None:
    requests = [_request(first, batch, "openai", starts_s=2.0 * first, lasts_s=1.0) for first in range(0, 50, batch)]

    tally = await _sent(tmp_path, *requests)

    calls, grams = _ledger(tmp_path)
    assert calls == 50.0
    assert _net_grams(tally) == pytest.approx(grams, rel=1e-12)


@pytest.mark.parametrize("first", ["client", "framework"])
async def test_what_two_libraries_saw_of_them_counts_once(tmp_path: Path, first: str) -> None:
    client = _request(0, 10, "openai", starts_s=0.1, lasts_s=0.8)
    framework = _request(100, 10, "langchain", starts_s=0.0, lasts_s=1.0)

    tally = await _sent(tmp_path, *((client, framework) if first == "client" else (framework, client)))

    calls, grams = _ledger(tmp_path)
    assert calls == 10.0
    assert sum(tally.snapshot()["otel_carbon.co2e"].values()) == pytest.approx(2 * grams, rel=1e-12)
    assert _net_grams(tally) == pytest.approx(grams, rel=1e-12)


async def test_the_counters_take_a_call_back_once_though_two_ledgers_do_not_count_it(tmp_path: Path) -> None:
    two = '{ledger: , ledger/audit: {url: "sqlite:///audit.db"}'
    text = _CONFIG.replace("{ledger: ", two).replace("[ledger, ", "[ledger, ledger/audit, ")
    client = _request(0, 10, "openai", starts_s=0.1, lasts_s=0.8)
    framework = _request(100, 10, "langchain", starts_s=0.0, lasts_s=1.0)

    tally = await _sent(tmp_path, framework, client, text=text)

    calls, grams = _ledger(tmp_path)
    assert calls == 10.0
    assert _ledger(tmp_path, "audit.db") == (calls, pytest.approx(grams, rel=1e-12))
    assert _net_grams(tally) == pytest.approx(grams, rel=1e-12)
