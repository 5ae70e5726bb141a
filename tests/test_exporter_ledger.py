"""The gateway's `ledger` exporter: from journal entries to lines, once, whatever happens in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import EIGHT_O_CLOCK, SECOND
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_carbon.errors import ConfigError, RetryableExportError, StorageError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.exporters.ledger import FACTORY, Config, LedgerExporter
from otel_carbon.factors import FactorTables
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.ledger.columns import COLUMN_NAMES
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.tally import Tally
from otel_carbon.pipeline.undelivered import RefusedError
from otel_carbon.processors import carbon
from otel_carbon.processors.carbon import CarbonProcessor

Build = Callable[..., LedgerExporter]


def _request(*numbers: int, parent: int = 0, start_s: int | None = None, **attributes: str | int) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    call: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 345,
        "gen_ai.input.messages": "a secret prompt",
        **attributes,
    }
    for number in numbers:
        span = spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), name="chat")
        span.parent_span_id = parent.to_bytes(8, "big") if parent else b""
        span.start_time_unix_nano = EIGHT_O_CLOCK + (number if start_s is None else start_s) * SECOND
        span.end_time_unix_nano = span.start_time_unix_nano + SECOND
        for key, value in call.items():
            wire = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
            span.attributes.append(KeyValue(key=key, value=wire))
    return request.SerializeToString()


def _entry(position: int, body: bytes, items: int = 1) -> JournalEntry:
    return JournalEntry(position, EIGHT_O_CLOCK, Payload(Signal.TRACES, body, items))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def new(journal_id: str = "j1", **shared: Any) -> LedgerExporter:
        return FACTORY.create(
            Config(), Settings("ledger", {}, {"data_dir": tmp_path, "journal_id": journal_id, **shared})
        )

    return new


def _rows(exporter: LedgerExporter, query: str) -> list[Any]:
    with closing(sqlite3.connect(exporter.path)) as connection:
        return connection.execute(query).fetchall()


async def test_calls_become_lines_and_the_position_moves_with_them(build: Build, tmp_path: Path) -> None:
    exporter = build()
    await exporter.start()
    assert await exporter.position() is None

    await exporter.export([_entry(3, _request(1, 2)), _entry(5, _request(3))])

    assert exporter.path == tmp_path / "ledger.db"
    assert _rows(exporter, "SELECT COUNT(*), SUM(input_tokens), MIN(source) FROM lines") == [(3, 3600, "otlp")]
    assert await exporter.position() == 5
    await exporter.shutdown()


async def test_no_prompt_reaches_the_file(build: Build) -> None:
    exporter = build()
    await exporter.start()
    await exporter.export([_entry(1, _request(1))])
    await exporter.shutdown()

    assert b"secret prompt" not in exporter.path.read_bytes()


async def test_after_a_restart_it_resumes_where_the_ledger_stands(build: Build) -> None:
    first = build()
    await first.start()
    await first.export([_entry(4, _request(1))])
    await first.shutdown()

    second = build()
    await second.start()
    assert await second.position() == 4
    await second.export([_entry(4, _request(1)), _entry(6, _request(2))])

    assert _rows(second, "SELECT COUNT(*) FROM lines") == [(2,)]
    await second.shutdown()


async def test_a_new_journal_has_a_position_of_its_own(build: Build) -> None:
    first = build("j1")
    await first.start()
    await first.export([_entry(900, _request(1))])
    await first.shutdown()

    second = build("j2")
    await second.start()

    assert await second.position() is None
    await second.shutdown()


async def test_what_the_ledger_does_not_count_is_taken_back_from_the_metrics(build: Build) -> None:
    tally, telemetry = Tally(), SelfMetrics()
    exporter = build(tallies=[tally], telemetry=telemetry)
    await exporter.start()

    await exporter.export([_entry(1, _request(1, **{"gen_ai.response.id": "r"}))])
    await exporter.export([_entry(2, _request(2, parent=1, start_s=1, **{"gen_ai.response.id": "r"}))])

    (taken,) = tally.snapshot()["otel_carbon.co2e.reversed"].values()
    assert _rows(exporter, "SELECT -co2e_grams_central FROM lines WHERE kind = 'reversal'") == [(taken,)]
    (joules,) = tally.snapshot()["otel_carbon.energy.reversed"].values()
    assert _rows(exporter, "SELECT -energy_wh_central * 3600 FROM lines WHERE kind = 'reversal'") == [(joules,)]
    assert list(tally.snapshot()["otel_carbon.calls.reversed"].values()) == [1.0]
    await exporter.export([_entry(3, _request(1, **{"gen_ai.response.id": "r"}))])
    assert telemetry.value("ledger_spans", exporter="ledger", outcome="counted") == 2
    assert telemetry.value("ledger_spans", exporter="ledger", outcome="replayed") == 1
    await exporter.shutdown()


async def test_it_estimates_as_the_processor_in_front_of_it(build: Build) -> None:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(grid_intensity_g_per_kwh=41.0))
    exporter = build(estimator=estimator)
    await exporter.start()

    await exporter.export([_entry(1, _request(1))])

    assert _rows(exporter, "SELECT grid_intensity_g_per_kwh, region_source FROM lines") == [(41.0, "user")]
    await exporter.shutdown()


_MIXED = (
    {"start_s": 40, "gen_ai.response.id": "a", "gen_ai.usage.cache_read.input_tokens": 500},
    {"start_s": 40, "parent": 1, "gen_ai.response.id": "a"},
    {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
    {"gen_ai.request.model": "nobody-knows-me", "gen_ai.provider.name": "nobody"},
    {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.provider.name": "anthropic", "otel_carbon.project": "p"},
    {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"},
    {"gen_ai.operation.name": "invoke_agent"},
    {"gen_ai.usage.output_tokens": 10**15, "gen_ai.request.model": "gpt-4o-mini"},
    {"otel_carbon.status": "estimated", "otel_carbon.co2e_grams": 7},
)


@pytest.mark.parametrize(
    "settings",
    [
        *({"factor_set": factor_set} for factor_set in FactorTables.bundled().set_ids),
        {"fallback": False},
        {"grid_intensity_g_per_kwh": 41.123456789},
        {"region": "eu-central-1", "pue_ratio": 1.23456789, "water": True},
        {"grid": "ember", "zone": "DE"},
    ],
    ids=str,
)
async def test_what_the_processor_found_and_what_is_read_again_give_the_same_lines(
    build: Build, tmp_path: Path, settings: dict[str, Any]
) -> None:
    processor = CarbonProcessor(carbon.Config(**settings), Settings("carbon", {}, {}))
    requests = [_request(number, **attributes) for number, attributes in enumerate(_MIXED, 1)]
    both = ExportTraceServiceRequest.FromString(requests[0] + requests[1]).SerializeToString()
    payloads = [processor.process(Payload(Signal.TRACES, body, 1)) for body in (both, *requests[2:])]
    assert sum(len(payload.enriched or ()) for payload in payloads) == len(_MIXED)
    found: list[Any] = []
    for name, again in (("kept", False), ("read", True)):
        exporter = build(data_dir=tmp_path / name, estimator=processor.estimator, reader=processor.reader)
        await exporter.start()
        for position, payload in enumerate(payloads, 1):
            kept = replace(payload, enriched=None) if again else payload
            await exporter.export([JournalEntry(position, EIGHT_O_CLOCK, kept)])
        columns = ", ".join(f'"{name}"' for name in COLUMN_NAMES if name not in {"recorded_at", "hash"})
        found.append(
            (
                _rows(exporter, f"SELECT {columns} FROM lines ORDER BY seq"),
                _rows(exporter, "SELECT span_id, status, response_id, scope, fingerprint FROM observations"),
            )
        )
        await exporter.shutdown()

    assert found[0] == found[1]
    assert len(found[0][0]) == len(_MIXED) - 2


@pytest.mark.parametrize(
    ("items", "waited_s", "wait_s"), [(1, 0.0, 0.25), (1, 0.04, 0.21), (1, 0.25, 0.0), (1, -7.0, 0.0), (4096, 0.0, 0.0)]
)
def test_small_requests_wait_for_more_to_come_into_their_transaction(
    build: Build, items: int, waited_s: float, wait_s: float
) -> None:
    waiting = [_entry(1, _request(1), items=items)]

    assert build().wait_s(waiting, EIGHT_O_CLOCK + round(waited_s * SECOND)) == pytest.approx(wait_s)


async def test_an_unreadable_entry_does_not_take_the_others_along(build: Build) -> None:
    exporter = build()
    await exporter.start()

    with pytest.raises(RefusedError, match="cannot be read") as raised:
        await exporter.export([_entry(1, _request(9)[:-3], items=7), _entry(2, _request(1))])

    assert [one.entry.position for one in raised.value.undelivered] == [1]
    assert _rows(exporter, "SELECT COUNT(*) FROM lines") == [(1,)]
    assert await exporter.position() == 2
    await exporter.shutdown()


async def test_a_disk_that_does_not_take_the_data_is_tried_again(build: Build) -> None:
    exporter = build()
    await exporter.start()
    with closing(sqlite3.connect(exporter.path)) as connection:
        connection.execute("ALTER TABLE lines RENAME TO elsewhere")

        with pytest.raises(RetryableExportError, match=r"ledger\.db"):
            await exporter.export([_entry(1, _request(1))])

        connection.execute("ALTER TABLE elsewhere RENAME TO lines")
    await exporter.export([_entry(1, _request(1))])

    assert _rows(exporter, "SELECT COUNT(*) FROM lines") == [(1,)]
    await exporter.shutdown()


async def test_a_file_that_cannot_be_used_is_an_error_at_start(build: Build, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a ledger" * 1000)

    with pytest.raises(StorageError, match=r"ledger\.db: file is not a database"):
        await build().start()


async def test_shutting_down_twice_or_before_the_start_is_fine(build: Build) -> None:
    exporter = build()
    await exporter.shutdown()
    await exporter.start()
    await exporter.export([])
    await exporter.shutdown()
    await exporter.shutdown()

    with pytest.raises(RetryableExportError, match="is not started"):
        await exporter.export([_entry(1, _request(1))])


def test_another_database_is_refused_when_the_config_is_read() -> None:
    with pytest.raises(ConfigError, match="keeps its ledger in SQLite"):
        Config(url="postgresql://ledger")


@pytest.mark.parametrize("key", ["otel_carbon.tenant", "tenant.id", "nobody.asked"])
@pytest.mark.parametrize("after_a_restart", [False, True])
async def test_the_tenant_of_the_sender_beats_what_its_spans_say(
    build: Build, key: str, *, after_a_restart: bool
) -> None:
    exporter = build()
    await exporter.start()
    payload = Payload(Signal.TRACES, _request(1, 2, **{key: "somebody-else"}), 2, tenant="acme")
    if not after_a_restart:
        payload = CarbonProcessor(carbon.Config(), Settings("carbon", {}, {})).process(payload)

    await exporter.export([JournalEntry(1, EIGHT_O_CLOCK, payload)])

    assert _rows(exporter, "SELECT DISTINCT tenant FROM lines") == [("acme",)]
    await exporter.shutdown()
