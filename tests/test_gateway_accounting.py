"""A gateway that only forwards has nothing to say of spans that could not be accounted for."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from running_gateway import config_of, running

from otel_carbon.gateway.service import Gateway

_FORWARDS = """\
    receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
    processors: {carbon: }
    exporters: {debug: , ledger: }
    service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
    """
_MARKS = _FORWARDS.replace("receivers: [otlp],", "receivers: [otlp], processors: [carbon],")
_RECORDS = _FORWARDS.replace("[debug]", "[debug, ledger]")
_MODEL = KeyValue(key="gen_ai.request.model", value=AnyValue(string_value="gpt-4o"))
_SPANS = ScopeSpans(spans=[Span(name="chat", span_id=b"\1" * 8, attributes=[_MODEL])])  # without a trace id
_REQUEST = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[_SPANS])]).SerializeToString()


@pytest.mark.parametrize(("text", "rejected"), [(_FORWARDS, 0), (_MARKS, 1), (_RECORDS, 1)])
async def test_a_span_without_valid_ids_is_rejected_where_it_would_be_accounted_for(
    tmp_path: Path, text: str, rejected: int
) -> None:
    async with running(tmp_path, config_of(text)) as gateway:
        assert await _rejected(gateway) == rejected


async def test_a_reload_that_adds_the_ledger_reaches_the_receiver_that_stays(tmp_path: Path) -> None:
    async with running(tmp_path, config_of(_FORWARDS)) as gateway:
        before = await _rejected(gateway)
        await gateway.reload(config_of(_RECORDS))

        assert (before, await _rejected(gateway)) == (0, 1)


async def _rejected(gateway: Gateway) -> int:
    """Return how many spans of a request the gateway rejects."""
    url = f"{gateway.endpoints['http']}/v1/traces"
    request = urllib.request.Request(url, _REQUEST, {"Content-Type": "application/x-protobuf"})
    answer = await asyncio.to_thread(_body, request)
    return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans


def _body(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=30) as answer:
        body: bytes = answer.read()
    return body
