"""The exporters of the OpenTelemetry SDK send to the receiver as they send to any Collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from otel_carbon.errors import UnavailableError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers.otlp import Config, GrpcConfig, HttpConfig, OtlpReceiver, Protocols

GRPC_COMPRESSIONS = [grpc.Compression.NoCompression, grpc.Compression.Gzip]
HTTP_COMPRESSIONS = [Compression.NoCompression, Compression.Gzip, Compression.Deflate]


@dataclass
class Pipeline:
    taken: list[Payload] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    grpc: str = ""
    http: str = ""

    async def consume(self, payload: Payload) -> None:
        if self.refusals:
            raise self.refusals.pop()
        self.taken.append(payload)


@pytest.fixture
async def pipeline() -> AsyncIterator[Pipeline]:
    pipeline = Pipeline()
    config = Config(Protocols(GrpcConfig("127.0.0.1:0"), HttpConfig("127.0.0.1:0")))
    receiver = OtlpReceiver(config, Settings("otlp", dict.fromkeys(Signal, pipeline.consume), {}))
    await receiver.start()
    pipeline.grpc, pipeline.http = receiver.endpoints["grpc"], receiver.endpoints["http"]
    yield pipeline
    await receiver.shutdown()


def send_three_spans(exporter: SpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for name in ("one", "two", "three"):
        provider.get_tracer("test").start_span(name, attributes={"text": "x" * 1000}).end()
    provider.shutdown()


def span_names(payload: Payload) -> list[str]:
    request = ExportTraceServiceRequest.FromString(payload.body)
    return [span.name for span in request.resource_spans[0].scope_spans[0].spans]


@pytest.mark.parametrize("compression", GRPC_COMPRESSIONS, ids=str)
async def test_spans_arrive_over_grpc(pipeline: Pipeline, compression: grpc.Compression) -> None:
    exporter = GrpcSpanExporter(endpoint=pipeline.grpc, insecure=True, compression=compression)

    await asyncio.to_thread(send_three_spans, exporter)

    assert [span_names(payload) for payload in pipeline.taken] == [["one", "two", "three"]]
    assert pipeline.taken[0].items == 3


@pytest.mark.parametrize("compression", HTTP_COMPRESSIONS, ids=str)
async def test_spans_arrive_over_http(pipeline: Pipeline, compression: Compression) -> None:
    exporter = HttpSpanExporter(endpoint=f"{pipeline.http}/v1/traces", compression=compression)

    await asyncio.to_thread(send_three_spans, exporter)

    assert [span_names(payload) for payload in pipeline.taken] == [["one", "two", "three"]]


async def test_the_sdk_sends_again_what_was_unavailable(pipeline: Pipeline) -> None:
    pipeline.refusals = [UnavailableError("later", retry_after_s=0.01)]
    exporter = GrpcSpanExporter(endpoint=pipeline.grpc, insecure=True)

    await asyncio.to_thread(send_three_spans, exporter)

    assert [span_names(payload) for payload in pipeline.taken] == [["one", "two", "three"]]


def count_to_two(exporter: Any) -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, 3_600_000)], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("calls").add(2)
    provider.shutdown()


async def test_metrics_arrive_over_both(pipeline: Pipeline) -> None:
    await asyncio.to_thread(count_to_two, GrpcMetricExporter(endpoint=pipeline.grpc, insecure=True))
    await asyncio.to_thread(count_to_two, HttpMetricExporter(endpoint=f"{pipeline.http}/v1/metrics"))

    assert [(payload.signal, payload.items) for payload in pipeline.taken] == [(Signal.METRICS, 1)] * 2


def log_once(exporter: Any) -> None:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("test").emit(body="hello")
    provider.shutdown()


async def test_logs_arrive_over_both(pipeline: Pipeline) -> None:
    await asyncio.to_thread(log_once, GrpcLogExporter(endpoint=pipeline.grpc, insecure=True))
    await asyncio.to_thread(log_once, HttpLogExporter(endpoint=f"{pipeline.http}/v1/logs"))

    assert [(payload.signal, payload.items) for payload in pipeline.taken] == [(Signal.LOGS, 1)] * 2
