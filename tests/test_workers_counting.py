"""Counters of several workers: measured in each, counted once in the supervisor, whatever is killed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from running_gateway import config_of, running
from spans import traces
from tcp import http_client

from otel_carbon.connectors import carbon_metrics
from otel_carbon.errors import ConfigError
from otel_carbon.exporters.ledger import Config as LedgerConfig
from otel_carbon.exporters.ledger import LedgerExporter
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import GatewayConfig, parse_config
from otel_carbon.gateway.workers import tell
from otel_carbon.gateway.workers.counting import HostedCounters
from otel_carbon.gateway.workers.hosted import check_hosted
from otel_carbon.gateway.workers.link import LinkError, UnansweredError
from otel_carbon.gateway.workers.relay import Relay, RelayedCounters
from otel_carbon.gateway.workers.taken_back import TakenBack, as_told
from otel_carbon.gateway.workers.tell import Message, Teller, Told
from otel_carbon.model import Attribution, Reversal
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors import carbon

_CONFIG = """\
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
processors: {{carbon: }}
exporters: {{ledger: , debug: }}
connectors: {{carbon_metrics: {{{settings}}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}}
    metrics: {{receivers: [carbon_metrics], exporters: [debug]}}
"""
_ALL = "histogram: true, metrics_attributes: [service], interval: 1h"
_PROCESSOR = carbon.CarbonProcessor(carbon.Config(), Settings("carbon", {}, {}))


def _config(settings: str = _ALL) -> GatewayConfig:
    return parse_config(_CONFIG.format(settings=settings), {}, Catalogue.bundled(), source="test")


def _marked(first: int, count: int) -> Payload:
    return _PROCESSOR.process(Payload(Signal.TRACES, traces(first, count), count))


class _FirstWorker:
    """Takes metrics in, or fails as a link does."""

    def __init__(self, *failures: Exception) -> None:
        self.taken: list[ExportMetricsServiceRequest] = []
        self.failed = asyncio.Event()
        self._failures = list(failures)
        self._relay = Relay(self.ask, lambda _message: None)
        stand_in = RelayedCounters(carbon_metrics.Config(), _settings(self._take), self._relay)
        self._relay.counters["carbon_metrics"] = stand_in

    async def ask(self, what: str, about: Any) -> Any:
        assert what == "consume"
        if self._failures:
            self.failed.set()
            raise self._failures.pop(0)
        return await self._relay.consume(about)

    async def _take(self, payload: Payload) -> None:
        self.taken.append(ExportMetricsServiceRequest.FromString(payload.body))


def _settings(consume: Any) -> Settings:
    shared = {"estimator": _PROCESSOR.estimator, "tallies": [], "journal_id": "first"}
    return Settings("carbon_metrics", {Signal.METRICS: consume}, shared)


def _told_by_a_worker(*payloads: Payload) -> list[Message]:
    told: list[Message] = []

    async def nothing(_payload: Payload) -> None:
        return

    config = carbon_metrics.Config(histogram=True, metrics_attributes=("service",))
    worker = RelayedCounters(config, _settings(nothing), Relay(nothing, told.append))
    for payload in payloads:
        worker.observe(payload)
    return told


async def _sent(counters: HostedCounters) -> None:
    counters.name_after("first")
    await counters.start()
    await counters.shutdown()


def _timeless(request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest:
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in (*metric.sum.data_points, *metric.histogram.data_points):
            point.start_time_unix_nano = point.time_unix_nano = 0
    return request


async def test_what_workers_measured_counts_as_if_one_process_had_counted_it() -> None:
    payloads = [_marked(0, 20), _marked(20, 20)]
    first = _FirstWorker()
    counters = HostedCounters(_config(), first.ask)
    here: list[ExportMetricsServiceRequest] = []

    async def take(payload: Payload) -> None:
        here.append(ExportMetricsServiceRequest.FromString(payload.body))

    alone = carbon_metrics.CarbonMetricsConnector(
        carbon_metrics.Config(histogram=True, metrics_attributes=("service",)), _settings(take)
    )
    await alone.start()
    for payload in payloads:
        alone.observe(payload)
    await alone.shutdown()

    for message in (*_told_by_a_worker(payloads[0]), *_told_by_a_worker(payloads[1], payloads[0])):
        counters.take(message)  # two workers, the second of which got what the first had, too
    await _sent(counters)

    assert len(here[0].resource_metrics[0].scope_metrics[0].metrics) > 10
    assert [_timeless(each) for each in first.taken] == [_timeless(each) for each in here]


@pytest.mark.parametrize(
    ("temporality", "failure", "arrivals"),
    [
        ("cumulative", UnansweredError("it has ended"), 1),
        ("delta", LinkError("it is not running"), 1),
        ("delta", UnansweredError("it has ended"), 0),  # it may be in the journal already
    ],
)
async def test_metrics_that_may_have_been_taken_in_are_sent_again_only_where_that_does_no_harm(
    temporality: str, failure: Exception, arrivals: int
) -> None:
    first = _FirstWorker(failure)
    counters = HostedCounters(
        _config(f"interval: 20ms, metrics_attributes: [service], temporality: {temporality}"), first.ask
    )
    counters.name_after("first")
    for message in _told_by_a_worker(_marked(0, 1)):
        counters.take(message)
    await counters.start()
    await first.failed.wait()
    await counters.shutdown()

    assert bool(first.taken) is bool(arrivals)


async def test_what_is_told_before_a_worker_is_killed_is_heard() -> None:
    theirs, ours = socket.socketpair()
    teller, heard = Teller(theirs), list[Message]()
    told = await Told.over(ours, heard.append)
    long = ("counted", "carbon_metrics", [bytes(24)] * 100_000)  # more than a socket holds

    await asyncio.to_thread(teller.tell, long)
    teller.tell(("counted all",))
    await asyncio.to_thread(teller.close)
    await asyncio.wait_for(told.ended(), 30)

    assert heard == [long, ("counted all",)]
    teller.tell(("counted all",))  # to nobody: nothing is raised


async def test_a_supervisor_that_does_not_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = socket.socketpair()
    teller, heard, stopped = Teller(theirs, patience_s=0.0), list[Message](), "the supervisor does not take in"
    messages = [("counted", "carbon_metrics", [number, bytes(24_000)]) for number in range(200)]
    monkeypatch.setattr(tell, "_MOST_UNREAD_BYTES", 1 << 20)

    for message in messages:
        teller.tell(message)  # more than a socket holds, and nobody reads
    assert (teller.refusal() or "").startswith(stopped)
    told = await Told.over(ours, heard.append)
    await asyncio.to_thread(teller.close, 30.0)
    await asyncio.wait_for(told.ended(), 30)

    assert heard == messages
    assert teller.refusal() is None


async def test_senders_are_told_to_come_back_while_nothing_more_can_be_counted(tmp_path: Path) -> None:
    why: list[str] = []
    relay = Relay(_FirstWorker().ask, lambda _message: None, lambda: why[0] if why else None)
    config = _CONFIG.replace("grpc: ", 'http: {{endpoint: "127.0.0.1:0"}}').format(settings=_ALL)
    async with (
        running(tmp_path, relay.standing_in(config_of(config))) as gateway,
        http_client(gateway.endpoints["http"], headers={"Content-Type": "application/x-protobuf"}) as client,
    ):

        async def status() -> int:
            async with client.post("/v1/traces", data=traces(0, 1)) as answer:
                return answer.status

        assert await status() == 200
        why.append("the supervisor is stopped")
        assert (await status(), gateway.unready_reason()) == (503, why[0])
        why.clear()
        assert (await status(), gateway.unready_reason()) == (200, None)


def test_what_a_ledger_took_back_is_taken_once() -> None:
    reversal = Reversal((("gen_ai.operation.name", "chat"),), 1.0, 2.0, 3.0, Attribution(service="shop"))
    register = TakenBack()

    def taken(position: int, *, at_start: bool = False) -> Sequence[Reversal]:
        return register.new(as_told("ledger@a", position, [reversal], at_start=at_start))

    assert taken(5, at_start=True) == ()  # of counters that are gone
    assert taken(7) == (reversal,)
    assert taken(7, at_start=True) == ()  # the worker was started again
    assert taken(9, at_start=True) == (reversal,)  # and here it was killed before it told
    assert register.new(as_told("ledger@b", 3, [reversal], at_start=False)) == (reversal,)


async def test_a_ledger_tells_at_its_start_what_it_took_back_last(tmp_path: Path) -> None:
    told: list[Any] = []

    def tell(cursor: str, position: int, reversals: Sequence[Reversal], *, at_start: bool) -> None:
        told.append((cursor, position, tuple(reversals), at_start))

    shared = {"data_dir": tmp_path, "journal_id": "a", "taken_back": tell, "estimator": _PROCESSOR.estimator}
    again = _marked(0, 1)
    scope = b"opentelemetry.instrumentation.openai_v2"
    other = again.body.replace(scope, scope.replace(b"openai_v2", b"langchain")).replace(
        (1).to_bytes(8, "big") + b"*", (2).to_bytes(8, "big") + b"*"
    )
    assert other != again.body
    for position, body in ((1, again.body), (2, other)):
        exporter = LedgerExporter(LedgerConfig(), Settings("ledger", {}, shared))
        await exporter.start()
        await exporter.export([JournalEntry(position, 1, Payload(Signal.TRACES, body, 1))])
        await exporter.shutdown()
    exporter = LedgerExporter(LedgerConfig(), Settings("ledger", {}, shared))
    await exporter.start()
    await exporter.shutdown()

    took = told[2][2]
    assert told[:2] == [("ledger@a", 0, (), True), ("ledger@a", 1, (), True)]
    assert [reversal.calls for reversal in took] == [1.0]
    assert told[2:] == [("ledger@a", 2, took, False), ("ledger@a", 2, took, True)]


def test_what_the_supervisor_has_cannot_change_while_workers_run() -> None:
    check_hosted(_config(), _config(), "gateway.yaml")

    with pytest.raises(ConfigError, match="connectors::carbon_metrics: cannot change while several"):
        check_hosted(_config(), _config("interval: 1s"), "gateway.yaml")
