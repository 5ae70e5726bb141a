"""`LedgerSpanExporter` behind the span processors of a real SDK."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_cases import estimator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from otel_carbon.exporters import LedgerSpanExporter
from otel_carbon.ledger import Ledger
from otel_carbon.processors import CarbonSpanProcessor

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 345,
}


def _rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def _provider() -> TracerProvider:
    return TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)


def test_calls_behind_a_batch_processor_become_lines(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    provider = _provider()
    provider.add_span_processor(BatchSpanProcessor(LedgerSpanExporter(path)))
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
        tracer.start_span("chat", attributes=CHAT).end()
        tracer.start_span("SELECT", attributes={"db.system": "postgresql"}).end()
    failed = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"})
    failed.set_status(Status(StatusCode.ERROR))
    failed.end()

    assert provider.force_flush()
    provider.shutdown()

    assert _rows(path, "SELECT service, input_tokens, output_tokens, source, response_id FROM lines") == [
        ("shop", 1200, 345, "sdk", "chatcmpl-1")
    ]
    assert _rows(path, "SELECT status FROM observations ORDER BY status") == [("estimated",), ("failed",), ("parent",)]


def test_a_span_that_was_marked_is_kept_as_a_claim(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    provider = _provider()
    provider.add_span_processor(CarbonSpanProcessor(metrics=False))
    provider.add_span_processor(SimpleSpanProcessor(LedgerSpanExporter(path, estimator())))
    provider.get_tracer("app").start_span("chat", attributes=CHAT).end()
    provider.shutdown()

    assert _rows(
        path, "SELECT claim_differs, claimed_factor_id, round(claimed_co2e_grams / co2e_grams_central, 5) FROM lines"
    ) == [(0, "frontier", 1.0)]


def test_a_disk_that_does_not_take_the_spans_is_a_failed_export(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file in the way")
    exporter = LedgerSpanExporter(tmp_path / "data" / "ledger.db", estimator())
    provider = _provider()
    span = provider.get_tracer("app").start_span("chat", attributes=CHAT)
    span.end()

    with caplog.at_level(logging.WARNING, "otel_carbon.exporters.ledger_span_exporter"):
        result = exporter.export([span])  # type: ignore[list-item]

    assert result is SpanExportResult.FAILURE
    assert "1 spans are not in the ledger" in caplog.records[0].message


def test_after_shutdown_nothing_is_exported(tmp_path: Path) -> None:
    exporter = LedgerSpanExporter(tmp_path / "ledger.db", estimator())
    exporter.shutdown()
    exporter.shutdown()

    assert exporter.export([]) is SpanExportResult.FAILURE
    assert exporter.force_flush()


_FORK = """
import os, sys
from ledger_cases import estimator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_carbon.exporters import LedgerSpanExporter
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(LedgerSpanExporter(sys.argv[1], estimator())))
chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 10}
def call():
    provider.get_tracer("app").start_span("chat", attributes=chat).end()
call()
provider.force_flush()
pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        call()
        provider.shutdown()
        os._exit(0)
    pids.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
call()
provider.shutdown()
"""


def test_after_a_fork_every_process_exports_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "support")}

    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK, str(path)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )

    assert (done.returncode, done.stderr) == (0, "")
    with closing(Ledger.open_read_only(path)) as ledger, ledger.snapshot() as connection:
        assert connection.execute("SELECT COUNT(*) FROM lines").fetchone() == (5,)
