"""The in-app ledger: every call of the application in a file, without a server."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import EIGHT_O_CLOCK, SECOND
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_carbon
from otel_carbon.estimator import AccountingRule, AccountingSettings
from otel_carbon.processors import CarbonSpanProcessor, KeepGenAI

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}


@pytest.fixture
def providers() -> Iterator[list[TracerProvider]]:
    providers: list[TracerProvider] = []
    yield providers
    for provider in providers:
        provider.shutdown()


def rows(ledger: Path, query: str = "SELECT status, input_tokens, output_tokens FROM calls ORDER BY seq") -> list[Any]:
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


def call(provider: TracerProvider, attributes: dict[str, Any] = CHAT, times: int = 1) -> None:
    for _ in range(times):
        provider.get_tracer("app").start_span("chat", attributes=attributes).end()


def test_every_call_is_a_line_and_a_parent_is_none(tmp_path: Path, providers: list[TracerProvider]) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    providers.append(provider)
    otel_carbon.install(provider, ledger=tmp_path / "ledger.db")
    with provider.get_tracer("app").start_as_current_span(
        "agent", attributes={"gen_ai.operation.name": "invoke_agent"}
    ):
        call(provider, times=3)
    call(provider, {key: value for key, value in CHAT.items() if "usage" not in key})

    assert provider.force_flush() is True
    assert rows(tmp_path / "ledger.db") == [("estimated", 1200, 345)] * 3 + [("no_usage", None, None)]
    assert rows(tmp_path / "ledger.db", "SELECT count(*) FROM observations") == [(5,)]


def test_the_numbers_of_the_ledger_are_those_of_the_span_in_full_precision(
    tmp_path: Path, providers: list[TracerProvider]
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    providers.append(provider)
    otel_carbon.install(provider, ledger=tmp_path / "ledger.db", region="swedencentral")
    span: Any = provider.get_tracer("app").start_span("chat", attributes=CHAT)
    span.end()
    provider.force_flush()

    columns = "co2e_grams_low, co2e_grams_central, co2e_grams_high, energy_wh_central, region, factor_id"
    (line,) = rows(tmp_path / "ledger.db", f"SELECT {columns} FROM calls")
    mark = span.attributes
    assert [float(f"{value:.6g}") for value in line[:4]] == [
        mark["otel_carbon.co2e_grams_low"],
        mark["otel_carbon.co2e_grams"],
        mark["otel_carbon.co2e_grams_high"],
        mark["otel_carbon.energy_wh"],
    ]
    assert line[4:] == ("swedencentral", mark["otel_carbon.factor.id"])


def test_a_call_that_was_sampled_out_is_in_the_ledger(tmp_path: Path, providers: list[TracerProvider]) -> None:
    provider = TracerProvider(sampler=KeepGenAI(ALWAYS_OFF), shutdown_on_exit=False)
    providers.append(provider)
    otel_carbon.install(provider, ledger=tmp_path / "ledger.db")

    call(provider, times=2)
    provider.force_flush()

    assert rows(tmp_path / "ledger.db", "SELECT calls FROM calls") == [(1.0,), (1.0,)]


def test_the_variable_names_the_ledger(
    tmp_path: Path, providers: list[TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_CARBON_LEDGER", str(tmp_path / "named.db"))
    provider = TracerProvider(shutdown_on_exit=False)
    providers.append(provider)
    otel_carbon.install(provider)

    call(provider)
    provider.force_flush()

    assert len(rows(tmp_path / "named.db")) == 1


def test_the_lines_say_where_an_inventory_has_them(tmp_path: Path, providers: list[TracerProvider]) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    providers.append(provider)
    rule = AccountingRule(scope=2, reason="own servers", tenant="acme")
    otel_carbon.install(provider, ledger=tmp_path / "ledger.db", accounting=AccountingSettings(rules=(rule,)))

    for tenant in ("acme", "globex", "acme"):
        call(provider, {**CHAT, "otel_carbon.tenant": tenant})
    provider.force_flush()

    places = rows(tmp_path / "ledger.db", "SELECT tenant, ghg_scope, ghg_reason FROM lines ORDER BY seq")
    assert places == [("acme", "2", "own servers"), ("globex", "3", None), ("acme", "2", "own servers")]


def test_shutting_the_provider_down_writes_what_is_left(tmp_path: Path) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    otel_carbon.install(provider, ledger=tmp_path / "ledger.db")
    call(provider, times=100)

    provider.shutdown()

    assert len(rows(tmp_path / "ledger.db")) == 100


def test_a_span_that_an_earlier_stage_marked_is_recorded_with_its_claim(
    tmp_path: Path, providers: list[TracerProvider]
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    providers.append(provider)
    provider.add_span_processor(CarbonSpanProcessor(metrics=False))
    provider.add_span_processor(CarbonSpanProcessor(metrics=False, ledger=tmp_path / "ledger.db"))

    call(provider)
    provider.force_flush()

    assert rows(tmp_path / "ledger.db") == [("estimated", 1200, 345)]


def test_metrics_net_of_reversals_are_those_of_the_ledger(tmp_path: Path) -> None:
    answered = {**CHAT, "gen_ai.response.id": "chatcmpl-1"}
    readers: list[InMemoryMetricReader] = []
    for service, scope, started_s in (("worker", "langchain", 0), ("api", "openai", 1), ("api", "openai", 20)):
        resource = Resource.create({"service.name": service})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        ledger = tmp_path / "ledger.db"
        readers.append(InMemoryMetricReader())
        meters = MeterProvider(metric_readers=readers[-1:], shutdown_on_exit=False)
        provider.add_span_processor(CarbonSpanProcessor(ledger=ledger, meter_provider=meters))
        began = EIGHT_O_CLOCK + started_s * SECOND
        provider.get_tracer(scope).start_span("chat", attributes=answered, start_time=began).end(began + 5 * SECOND)
        provider.shutdown()

    assert rows(tmp_path / "ledger.db", "SELECT service FROM calls ORDER BY seq") == [("api",), ("api",)]
    ((grams,),) = rows(tmp_path / "ledger.db", "SELECT SUM(co2e_grams_central) FROM calls")
    counted, reversed_ = (
        sum(sums(reader).get(f"otel_carbon.co2e{end}", 0.0) for reader in readers) for end in ("", ".reversed")
    )
    assert counted == pytest.approx(1.5 * grams, rel=1e-12)
    assert counted - reversed_ == pytest.approx(grams, rel=1e-12)


def test_what_the_process_itself_found_to_be_a_duplicate_is_not_taken_back(tmp_path: Path) -> None:
    answered = {**CHAT, "gen_ai.response.id": "chatcmpl-1"}
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CarbonSpanProcessor(ledger=tmp_path / "ledger.db", meter_provider=meters))
    with provider.get_tracer("langchain").start_as_current_span("chat", attributes=answered):
        call(provider, answered)
    provider.shutdown()

    ((calls, grams),) = rows(tmp_path / "ledger.db", "SELECT SUM(calls), SUM(co2e_grams_central) FROM lines")
    assert (calls, sums(reader)["otel_carbon.co2e"]) == (1.0, pytest.approx(grams, rel=1e-12))
    assert sums(reader).get("otel_carbon.co2e.reversed", 0.0) == 0.0


def sums(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: sum(point.value for point in metric.data.data_points) for metric in metrics}


FORKING = """
import json, os, sys
from opentelemetry.sdk.trace import TracerProvider
import otel_carbon
provider = TracerProvider()
otel_carbon.install(provider, ledger=sys.argv[1])
def call(times, tokens):
    for _ in range(times):
        span = provider.get_tracer("app").start_span("chat", attributes=json.loads(sys.argv[2]))
        span.set_attribute("gen_ai.usage.output_tokens", tokens)
        span.end()
call(10, 1)
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        call(20, 2 + number)
        provider.shutdown()
        os._exit(0)
    children.append(child)
call(30, 1)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
provider.shutdown()
"""


def test_a_forked_process_writes_its_own_calls_and_none_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKING, str(tmp_path / "ledger.db"), json.dumps(CHAT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    counts = rows(tmp_path / "ledger.db", "SELECT output_tokens, count(*) FROM calls GROUP BY 1 ORDER BY 1")
    assert counts == [(1, 40), (2, 20), (3, 20), (4, 20)]
