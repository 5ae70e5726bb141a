"""Redaction of what real libraries sent: no prompt and no answer is left, and nothing is counted otherwise."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from captures import Capture, captures, logs_requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.gateway.ingest import ingest, ingest_config
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.otlp import parse
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.processors import carbon, redact

CAPTURES = captures()
LOGS = logs_requests()

SAID = re.compile(
    rb"You are terse|[Bb]e terse|What is the weather|The weather in Paris|Paris|sunny|France|TRIGGER_429"
    rb'|\\?"content\\?": ?\\?"(hi|weather)|"prompt":"weather"'
)
"""What was said to the providers and what they answered. What a tool or an agent is called is not content."""

QUOTE_THE_ANSWER = {"openinference-dspy", "openinference-dspy-alone"}
"""DSPy puts an answer that it cannot parse into the message of its error, and errors stay: they say why."""


def processor(module: Any, **config: Any) -> Any:
    return module.FACTORY.create(module.Config(**config), Settings(module.FACTORY.type, {}, {}))


DROP = processor(redact, content=redact.ContentMode.DROP)
HASH = processor(redact, content=redact.ContentMode.HASH, hash_key="0123456789abcdef")
CARBON = processor(carbon)


def traces_of(capture: Capture) -> Iterator[Payload]:
    return (parse(Signal.TRACES, body) for body in capture.bodies)


def test_the_captures_say_something_to_begin_with() -> None:
    talking = [one for one in CAPTURES if any(SAID.search(body) for body in one.bodies)]

    assert len(talking) == 85
    assert sorted(name for name, bodies in LOGS.items() if any(map(SAID.search, bodies))) == [
        "contrib-js-openai-content",
        "openlit-js",
    ]


@pytest.mark.parametrize("by", [DROP, HASH], ids=["drop", "hash"])
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_nothing_that_was_said_is_left(capture: Capture, by: Any) -> None:
    for payload in traces_of(capture):
        redacted = by.process(payload)

        said = without_errors(redacted.body) if capture.name in QUOTE_THE_ANSWER else redacted.body
        assert SAID.search(said) is None
        assert parse(Signal.TRACES, redacted.body).items == payload.items


@pytest.mark.parametrize("name", sorted(QUOTE_THE_ANSWER))
def test_messages_of_exceptions_go_where_their_keys_are_named(name: str) -> None:
    (capture,) = (capture for capture in CAPTURES if capture.name == name)
    strict = processor(redact, keys=("exception.message", "exception.stacktrace"))
    bodies = [payload.body for payload in traces_of(capture)]

    assert any(
        b"exception.message" in body and SAID.search(DROP.process(parse(Signal.TRACES, body)).body) for body in bodies
    )
    for body in bodies:
        redacted = strict.process(parse(Signal.TRACES, body)).body
        assert b"exception.message" not in redacted
        assert SAID.search(without_errors(redacted)) is None


@pytest.mark.parametrize("by", [DROP, HASH], ids=["drop", "hash"])
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_calls_are_read_and_estimated_as_before(capture: Capture, by: Any) -> None:
    for payload in traces_of(capture):
        enriched = CARBON.process(payload)
        after, before = by.process(enriched), CARBON.process(by.process(payload))

        assert before.enriched == after.enriched == enriched.enriched
        assert before.body == after.body


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_dropping_twice_is_dropping_once(capture: Capture) -> None:
    for payload in traces_of(capture):
        once = DROP.process(payload)

        assert DROP.process(once).body == once.body


@pytest.mark.parametrize("by", [DROP, HASH], ids=["drop", "hash"])
@pytest.mark.parametrize("name", LOGS)
def test_log_records_lose_their_messages_and_nothing_else(name: str, by: Any) -> None:
    for body in LOGS[name]:
        redacted = by.process(parse(Signal.LOGS, body)).body

        assert SAID.search(redacted) is None
        for before, after in zip(records(body), records(redacted), strict=True):
            assert without_messages(before) == without_messages(after)


def test_a_body_that_only_repeats_the_name_of_the_event_stays() -> None:
    (body,) = LOGS["openlit-js"]

    redacted = records(DROP.process(parse(Signal.LOGS, body)).body)

    assert {record.body.string_value for record in redacted} == {"gen_ai.client.inference.operation.details"}


@pytest.mark.parametrize("name", ["ai-6", "litellm-otel", "openinference-js", "pydantic-ai-v3"])
def test_the_ledger_has_the_same_lines(name: str, tmp_path: Path) -> None:
    (capture,) = (capture for capture in CAPTURES if capture.name == name)

    assert lines(capture, tmp_path / "redacted", "redact, carbon") == lines(capture, tmp_path / "whole", "carbon")


def without_errors(body: bytes) -> bytes:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.status.message = ""
                for event in span.events:
                    kept = [each for each in event.attributes if each.key != "exception.message"]
                    del event.attributes[:]
                    event.attributes.extend(kept)
    return bytes(request.SerializeToString())


def records(body: bytes) -> list[LogRecord]:
    request = ExportLogsServiceRequest.FromString(body)
    return [record for each in request.resource_logs for scope in each.scope_logs for record in scope.log_records]


def without_messages(record: LogRecord) -> LogRecord:
    copy = LogRecord()
    copy.CopyFrom(record)
    copy.ClearField("body")
    messages = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions")
    kept = [each for each in record.attributes if each.key not in messages]
    del copy.attributes[:]
    copy.attributes.extend(kept)
    return copy


def lines(capture: Capture, folder: Path, processors: str) -> list[tuple[Any, ...]]:
    config = parse_config(
        f"""
        receivers: {{otlp: {{protocols: {{http: }}}}}}
        processors: {{carbon: , redact: }}
        exporters: {{ledger: }}
        service: {{pipelines: {{traces: {{receivers: [otlp], processors: [{processors}], exporters: [ledger]}}}}}}
        """,
        {},
        Catalogue.bundled(),
        source="test",
    )
    asyncio.run(ingest(ingest_config(config), folder, list(traces_of(capture))))
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM lines ORDER BY trace_id, span_id, kind")]
    assert found
    when_written = {"seq", "reverses_seq", "recorded_at", "hash"}
    return [tuple((key, value) for key, value in row.items() if key not in when_written) for row in found]
