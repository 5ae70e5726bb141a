"""`collector-config --watch` beside a real Collector: new grid data, a new config, a reload, and no span lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from collector_process import running_collector
from enriching import marks_in
from free_ports import free_addresses
from grid_publishers import TOKEN, electricity_maps, electricity_maps_g_per_kwh, neso, neso_direct_g_per_kwh
from grid_servers import Answer, Asked, grid_server
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from watching import watching

pytestmark = pytest.mark.e2e

_INTO_A_FILE = """\
exporters:
  file/traces: {path: "${env:COLLECTOR_FILE}", append: true, flush_interval: 100ms}
  file/nothing: {path: /dev/null}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {exporters: [file/traces, signal_to_metrics/otel_carbon]}
    metrics: {exporters: [file/nothing]}
"""
_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "aws.bedrock",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "cloud.region": "eu-west-3",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}
_INTENSITY = "otel_carbon.grid.intensity_g_per_kwh"


def test_the_collector_goes_on_with_new_grid_data_and_loses_no_span(otelcol: Path, tmp_path: Path) -> None:
    trace, generated, rest, out = (tmp_path / name for name in ("trace.csv", "collector.yaml", "rest.yaml", "out"))
    pid_file = tmp_path / "collector.pid"
    rest.write_text(_INTO_A_FILE, encoding="utf-8")
    _put(trace, 41.5)
    grpc, http = free_addresses(2)
    environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "COLLECTOR_FILE": str(out)}
    files = ("--config", generated, "--config", rest)
    options = ("--grid-file", str(trace), "--regions", "eu-west-3", "--models", "claude-sonnet-4-5")
    with watching(generated, *options, "--pid-file", str(pid_file)) as watch:
        _until(generated.exists)
        with running_collector(otelcol, tmp_path / "log", *files, listens=grpc, environ=environ) as collector:
            pid_file.write_text(f"{collector.pid}\n", encoding="utf-8")
            with _calling(grpc) as sent:
                _until(lambda: 41.5 in _intensities(out))
                _put(trace, 87.25)
                _until(lambda: 87.25 in _intensities(out))
                trace.write_text("zone,start\n", encoding="utf-8")
                _until(lambda: "column 'end' is missing" in watch.log())
                _put(trace, 12.0)
                _until(lambda: 12.0 in _intensities(out))

    marks = marks_in(out)
    assert sorted(marks) == sorted(sent)
    assert [*dict.fromkeys(marks[each][_INTENSITY] for each in sent)] == [41.5, 87.25, 12.0]
    assert {marks[each]["otel_carbon.grid.quality"] for each in sent} == {"measured"}
    assert watch.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "trace.csv", "collector.yaml", "rest.yaml", "out", "collector.pid", "log", "watch.log"
    }  # fmt: skip


@dataclass(frozen=True)
class _Publisher:
    """What a source of intensities by HTTP is, and what a call gets of it."""

    answers: Callable[[Callable[[], float]], Callable[[Asked], Answer]]
    path: str
    region: str
    source_id: str
    period_s: int
    g_per_kwh: Callable[[float, bool], float]
    """The figure of the period that a time is in, and whether that period is over."""


_PUBLISHERS = {
    "electricity_maps_v4": _Publisher(
        electricity_maps,
        "/v4",
        "eu-west-3",
        "electricitymaps-v4-hourly",
        3600,
        lambda at_s, _: electricity_maps_g_per_kwh(at_s),
    ),
    "uk_carbon_intensity": _Publisher(
        neso,
        "",
        "eu-west-2",
        "uk-carbon-intensity-half-hourly",
        1800,
        # With the life cycle of half gas and a quarter nuclear; a forecast of the fake is 7 more than what comes of it.
        lambda at_s, is_over: neso_direct_g_per_kwh(at_s) + (0 if is_over else 7) + 0.5 * 120.0 + 0.25 * 12.0,
    ),
}


@pytest.mark.parametrize("provider", _PUBLISHERS)
def test_a_span_gets_what_its_publisher_says_of_its_time(provider: str, otelcol: Path, tmp_path: Path) -> None:
    publisher, now_s = _PUBLISHERS[provider], time.time()
    generated, rest, out = (tmp_path / name for name in ("collector.yaml", "rest.yaml", "out"))
    rest.write_text(_INTO_A_FILE, encoding="utf-8")
    grpc, http = free_addresses(2)
    options = ("--grid-provider", provider, "--regions", publisher.region, "--models", "claude-sonnet-4-5")
    with grid_server(publisher.answers(lambda: now_s)) as server:
        of_watch = {
            "OTEL_CARBON_GRID_ENDPOINT": server.url + publisher.path,
            "OTEL_CARBON_ELECTRICITY_MAPS_TOKEN": TOKEN,
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        with watching(generated, *options, environ=of_watch) as watch:
            _until(generated.exists)
            environ = {"COLLECTOR_GRPC": grpc, "COLLECTOR_HTTP": http, "COLLECTOR_FILE": str(out)}
            files = ("--config", generated, "--config", rest)
            with running_collector(otelcol, tmp_path / "log", *files, listens=grpc, environ=environ):
                ages_s = (0, publisher.period_s, 5 * publisher.period_s)
                sent = _call_at(grpc, publisher.region, *(now_s - age_s for age_s in ages_s))
                _until(lambda: len(marks_in(out)) == len(sent))

    marks = [marks_in(out)[each] for each in sent]
    assert [mark["otel_carbon.grid.quality"] for mark in marks] == ["estimated", "measured", "yearly"]
    assert [mark[_INTENSITY] for mark in marks[:2]] == [
        publisher.g_per_kwh(now_s, False),
        publisher.g_per_kwh(now_s - publisher.period_s, True),
    ]
    assert {mark["otel_carbon.grid.source"] for mark in marks[:2]} == {publisher.source_id}
    assert TOKEN not in watch.log() + generated.read_text(encoding="utf-8")


def _call_at(grpc: str, region: str, *times_s: float) -> list[str]:
    """Call a model at times, and return the trace ids of the spans."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=grpc, insecure=True, timeout=60)))
    sent: list[str] = []
    for at_s in times_s:
        said = {**_CALL, "cloud.region": region}
        span = provider.get_tracer("app").start_span("chat", attributes=said, start_time=int(at_s * 1e9))
        span.end(int(at_s * 1e9) + 10**9)
        sent.append(f"{span.get_span_context().trace_id:032x}")
    provider.shutdown()
    return sent


@contextmanager
def _calling(grpc: str) -> Iterator[list[str]]:
    """Call a model thirty times a second with a stock SDK until the block ends; the trace ids of the spans."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=grpc, insecure=True, timeout=60)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
    tracer, sent, is_over = provider.get_tracer("app"), list[str](), Event()

    def call() -> None:
        while not is_over.wait(0.03):
            with tracer.start_as_current_span("chat", attributes=_CALL) as span:
                sent.append(f"{span.get_span_context().trace_id:032x}")

    caller = Thread(target=call)
    caller.start()
    try:
        yield sent
    finally:
        is_over.set()
        caller.join()
        provider.shutdown()


def _put(trace: Path, g_per_kwh: float) -> None:
    """Put a trace in place of another, in one step."""
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-2, 2))
    written = trace.with_suffix(".new")
    written.write_text(f"zone,start,end,g_per_kwh\nFR,{start},{end},{g_per_kwh}\n", encoding="utf-8")
    written.replace(trace)


def _intensities(out: Path) -> set[float]:
    return {float(mark[_INTENSITY]) for mark in marks_in(out).values() if _INTENSITY in mark}


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("waited for a minute")
