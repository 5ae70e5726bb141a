"""Several workers on one port, as real processes: nothing is lost, nothing counted twice, one answer for all."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from gateway_process import GatewayProcess, run_cli
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from span_sink import SpanSink, serving_sink
from spans import traces

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux deals connections out to processes")

_WORKERS = ("--workers", "2")
_LISTEN = ("grpc", "http", "web")
_MOST_CONNECTIONS = 200
_PATIENCE_S = 90.0
_UNREAD = 4000
_PAGE = """\
receivers: {otlp: {protocols: {http: }}}
processors: {carbon: }
exporters: {ledger: , prometheus: {endpoint: "127.0.0.1:0"}}
connectors: {carbon_metrics: {interval: 100ms}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}
    metrics: {receivers: [carbon_metrics], exporters: [prometheus]}
"""
_FORWARD = """\
receivers: {{otlp: {{protocols: {{http: }}}}}}
exporters: {{otlp_grpc: {{endpoint: "http://{address}", retry_on_failure: {{max_interval: 100ms}}}}}}
service: {{drain_timeout: 1s, pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc]}}}}}}
"""


class _Workers:
    """A gateway with two workers, and what it was sent."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.web: str = gateway.ready["web"]
        self.sent = 0

    def send(self, number: int | None = None) -> None:
        """Send one span over a connection of its own, a new one unless a number is given; return when it is taken."""
        self.post(traces(self.sent if number is None else number, 1))
        self.sent += number is None

    def post(self, body: bytes) -> None:
        """Send a request over a connection of its own; return when it is taken."""
        url = f"{self.gateway.ready['http']}/v1/traces"
        request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def send_until_both_have_some(self) -> None:
        """Send until the kernel has given each worker a connection."""
        for _ in range(_MOST_CONNECTIONS):
            self.send()
            if self.sent % 10 == 0 and all(worker["journal"]["head"] for worker in self.workers().values()):
                return
        pytest.fail("one worker got nothing")

    def workers(self) -> dict[str, dict[str, Any]]:
        """Return the description of each worker that runs."""
        found = json.loads(self._get(f"{self.web}/debug/pipelines"))["workers"]
        return {number: worker for number, worker in found.items() if "journal" in worker}

    def accepted(self) -> float:
        """Return how many spans all workers say that they have taken."""
        return self.metric(
            'otelcarbon_receiver_accepted_spans{receiver="otlp",transport="http"}', f"{self.web}/metrics"
        )

    def metric(self, series: str, url: str) -> float:
        """Return the sum of the samples that begin so."""
        lines = [line for line in self._get(url).splitlines() if line.startswith(series)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def page(self, url: str) -> str:
        """Return a page."""
        return self._get(url)

    @staticmethod
    def _get(url: str) -> str:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())


@contextmanager
def _running(data_dir: Path, config: str, *arguments: str) -> Iterator[_Workers]:
    path = data_dir.with_suffix(".yaml")
    path.write_text(config, encoding="utf-8")
    with GatewayProcess(data_dir, "--config", str(path), *arguments, addresses=("http", "web")) as gateway:
        yield _Workers(gateway)


def _until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def _calls(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        return int(db.execute("SELECT count(*) FROM calls").fetchone()[0])


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")


@pytest.mark.timeout(240)
def test_two_workers_answer_as_one_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with _running(data_dir, _PAGE, *_WORKERS) as it:
        it.send_until_both_have_some()
        distinct = it.sent
        for _ in range(20):
            it.send(0)  # the same span again, to whichever worker
        assert it.accepted() == distinct + 20
        page = re.findall(r"metrics are on (\S+)", it.gateway.log())
        assert len(page) == 1
        assert it.metric("otelcarbon_process_co2e_ratio", f"{it.web}/metrics") > 0
        _until(lambda: it.metric("otel_carbon_enriched_spans_total", page[0]) >= distinct)
        assert it.metric("otel_carbon_calls_total", page[0]) == distinct

        assert [one["journal"]["max_bytes"] for one in it.workers().values()] == [1 << 30, 1 << 30]
        for folder in (data_dir, data_dir / "workers" / "1"):  # whom to stop, not a worker that is started again
            assert (folder / "lock").read_text(encoding="ascii") == f"{it.gateway.process.pid}\n"
        _killed(it, "1")
        it.send_until_both_have_some()
        assert it.accepted() >= distinct + 20
        assert it.metric("otelcarbon_worker_restarts", f"{it.web}/metrics") == 1
        assert it.gateway.stop() == 0

    assert _calls(data_dir) == it.sent


@pytest.mark.timeout(240)
def test_the_counters_of_all_workers_are_one_and_equal_the_ledger(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with _running(data_dir, _PAGE, *_WORKERS) as it:
        it.send_until_both_have_some()
        page = re.findall(r"metrics are on (\S+)", it.gateway.log())[0]
        for number in range(it.sent):
            it.send(number)  # each call again, to whichever worker
            it.post(_seen_by_another_library(number))  # and as another instrumentation sees it
        for worker in ("1", "0"):  # the metrics of all leave through the pipelines of the first
            it.send()
            _killed(it, worker)  # what it acknowledged is counted
        for number in range(it.sent):
            it.send(number)
        _sent_while_the_supervisor_is_stopped(it)

        _until(lambda: _net(it, page) == _net_of_ledger(data_dir))
        assert _net_of_ledger(data_dir)[0] == it.sent
        time.sleep(0.5)  # as long as five emissions: nothing comes to it any more
        assert _net(it, page) == _net_of_ledger(data_dir)
        instances = set(re.findall(r'instance="([^"]+)"', it.page(page)))
        assert len(instances) == 1
        assert it.gateway.stop() == 0


def _killed(it: _Workers, worker: str) -> None:
    victim = it.workers()[worker]["pid"]
    os.kill(victim, signal.SIGKILL)
    _until(lambda: it.workers().get(worker, {}).get("pid", victim) != victim and it.workers()[worker]["ready"])


def _sent_while_the_supervisor_is_stopped(it: _Workers) -> None:
    """Have more counted than the sockets to the supervisor hold, with nobody to read them."""
    os.kill(it.gateway.process.pid, signal.SIGSTOP)
    try:
        for _ in range(_UNREAD // 100):
            it.post(traces(it.sent, 100))
            it.sent += 100
    finally:
        os.kill(it.gateway.process.pid, signal.SIGCONT)


def _net(it: _Workers, page: str) -> tuple[float, float]:
    """Return calls and grams that the counters come to, without what the ledger took back."""
    calls, grams = (
        it.metric(f"otel_carbon_{name}_total", page) - it.metric(f"otel_carbon_{reversed_}_total", page)
        for name, reversed_ in (("calls", "calls_reversed"), ("co2e_grams", "co2e_reversed_grams"))
    )
    return calls, round(grams, 9)


def _net_of_ledger(data_dir: Path) -> tuple[float, float]:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as db:
        calls, grams = db.execute("SELECT sum(calls), sum(co2e_grams_central) FROM lines").fetchone()
    return calls, round(grams, 9)


def _seen_by_another_library(number: int) -> bytes:
    """Return the call of `traces(number, 1)` as a second instrumentation sends it: another span, the same response."""
    request = ExportTraceServiceRequest.FromString(traces(number, 1))
    scope = request.resource_spans[0].scope_spans[0]
    scope.scope.name = "opentelemetry.instrumentation.langchain"
    scope.spans[0].span_id = (number + 1_000_001).to_bytes(8, "big")
    return request.SerializeToString()


@pytest.mark.timeout(240)
async def test_what_a_worker_has_left_is_delivered_by_fewer(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with _running(data_dir, _FORWARD.format(address="127.0.0.1:9"), *_WORKERS) as it:
        it.send_until_both_have_some()
        assert it.gateway.stop() == 0
    left = data_dir / "workers" / "1" / "journal.db"
    assert left.exists()

    async with serving_sink(SpanSink(Random(0))) as sink:
        config = _FORWARD.format(address=sink.address)
        gone = await asyncio.to_thread(_delivered, data_dir, config, left)

    assert gone
    assert len(sink.spans) == it.sent


def _delivered(data_dir: Path, config: str, left: Path) -> bool:
    with _running(data_dir, config) as one:
        _until(lambda: not left.exists())
        _until(lambda: not any(worker["journal"]["live_bytes"] for worker in one.workers().values()))
        return one.gateway.stop() == 0


@pytest.mark.timeout(120)
def test_why_a_worker_does_not_start_is_the_last_line(tmp_path: Path) -> None:
    letters = tmp_path / "workers" / "1" / "dead_letters.db"
    letters.parent.mkdir(parents=True)
    letters.write_bytes(b"a text, and no database of any kind")

    done = run_cli("serve", "--data-dir", str(tmp_path), *_WORKERS, *(f"--{each}=127.0.0.1:0" for each in _LISTEN))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"otel-carbon: worker 1 does not start: dead letters {letters} cannot be used: file is not a database; "
        "check that the disk has room and is writable, or move the file away"
    )
    assert done.stderr.count("file is not a database") == 1
    assert "the supervisor has ended" not in done.stderr


@pytest.mark.timeout(240)
def test_workers_end_with_a_supervisor_that_is_killed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with _running(data_dir, _PAGE, *_WORKERS) as it:
        it.send_until_both_have_some()
        sent, address = it.sent, it.gateway.ready["http"].removeprefix("http://")
        pids = [worker["pid"] for worker in it.workers().values()]
        assert len(pids) == 2

        it.gateway.kill()

        _until(lambda: not any(map(_lives, pids)))

    with _running(data_dir, _PAGE, *_WORKERS, "--http", address) as again:
        again.sent = sent
        again.send_until_both_have_some()
        page = re.findall(r"metrics are on (\S+)", again.gateway.log())[-1]
        # Counters begin again; the journal may still have what the earlier ones came to for the page.
        _until(lambda: again.sent - sent <= _net(again, page)[0] <= again.sent)
        assert again.gateway.stop() == 0

    assert _calls(data_dir) == again.sent
