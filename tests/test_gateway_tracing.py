"""The gateway's traces of itself: what they say, what they never say, and that they do not feed on themselves."""

from __future__ import annotations

import gzip
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from free_ports import free_port
from gateway_process import GatewayProcess
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span
from spans import traces
from tcp import http_client

from otel_carbon.errors import ConfigError, PermanentExportError, UnavailableError
from otel_carbon.gateway.config import check_fragment
from otel_carbon.gateway.tracing import Tracing, start_tracing
from otel_carbon.gateway.tracing_config import (
    BatchConfig,
    OtlpConfig,
    SamplerConfig,
    SpanExporterConfig,
    SpanProcessorConfig,
    TracesConfig,
)
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers.otlp import Config, GrpcConfig, HttpConfig, OtlpReceiver, Protocols

_CONFIG = """\
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:PORT"}}}}
processors: {carbon: }
exporters: {otlp_http/backend: {endpoint: "BACKEND"}}
service:
  web: {endpoint: null}
  telemetry:
    traces:
      sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: RATIO}}}}
      processors:
        - batch:
            schedule_delay: 50
            exporter: {otlp: {protocol: http/protobuf, endpoint: "http://127.0.0.1:PORT"}}
  pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [otlp_http/backend]}}
"""


@contextmanager
def _backend() -> Iterator[tuple[str, Callable[[], list[tuple[str, Span]]]]]:
    """Serve a destination; the function gives the spans that came, each with the name of its service."""
    bodies: list[bytes] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            return

    def spans() -> list[tuple[str, Span]]:
        resources = [
            each for body in bodies.copy() for each in ExportTraceServiceRequest.FromString(body).resource_spans
        ]
        return [
            (resource.resource.attributes[0].value.string_value if not _is_own(resource) else "otel-carbon", span)
            for resource in resources
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _is_own(resource: Any) -> bool:
    return any(one.value.string_value == "otel-carbon" for one in resource.resource.attributes)


def _post(port: int, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    urllib.request.urlopen(
        urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", body, headers), timeout=30
    ).close()


@contextmanager
def _gateway(tmp_path: Path, backend: str, ratio: str = "1.0") -> Iterator[int]:
    port, config = free_port(), tmp_path / "gateway.yaml"
    text = _CONFIG.replace("PORT", str(port)).replace("BACKEND", backend).replace("RATIO", ratio)
    config.write_text(text, encoding="utf-8")
    with GatewayProcess(tmp_path / "data", "--config", str(config), addresses=()) as gateway:
        yield port
        gateway.stop()


def test_a_gateway_that_sends_its_traces_to_itself_traces_what_others_send_and_comes_to_rest(tmp_path: Path) -> None:
    with _backend() as (url, spans), _gateway(tmp_path, url) as port:
        for number in range(5):
            _post(port, traces(number * 3, 3))
        names: Counter[str] = Counter()
        while names["receiver/otlp/TraceDataReceived"] < 5 or not names["exporter/otlp_http/backend/traces"]:
            names = Counter(span.name for service, span in spans() if service == "otel-carbon")
        time.sleep(1.0)  # twenty times as long as a loop would take for one more round
        settled = [span for service, span in spans() if service == "otel-carbon"]
        time.sleep(0.5)
        assert len([service for service, _ in spans() if service == "otel-carbon"]) == len(settled)

    names = Counter(span.name for span in settled)
    exported = names.pop("exporter/otlp_http/backend/traces")
    assert names == {
        "receiver/otlp/TraceDataReceived": 5,
        "processor/carbon/traces": 5,
        "journal/append": 5,
    }
    assert 1 <= exported <= 5
    received = [span for span in settled if span.name.startswith("receiver/")]
    steps = [span for span in settled if span.name.startswith(("processor/", "journal/"))]
    assert {step.parent_span_id for step in steps} == {span.span_id for span in received}
    assert {_attributes(span)["accepted_spans"] for span in received} == {3}


def test_a_ratio_of_none_traces_nothing(tmp_path: Path) -> None:
    with _backend() as (url, spans), _gateway(tmp_path, url, ratio="0") as port:
        _post(port, traces(0, 3))
        while len(spans()) < 3:
            time.sleep(0.01)
        time.sleep(0.5)

        assert [service for service, _ in spans()] == ["shop"] * 3


def _attributes(span: Span) -> dict[str, Any]:
    return {one.key: one.value.int_value or one.value.string_value for one in span.attributes}


@pytest.fixture
def finished() -> tuple[Tracing, InMemorySpanExporter]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.instance.id": "this-one"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return Tracing(provider, "this-one"), memory


async def test_a_refused_payload_has_a_span_with_the_kind_of_error_and_not_its_text(
    finished: tuple[Tracing, InMemorySpanExporter],
) -> None:
    tracing, memory = finished

    async def refuse(_payload: Payload) -> None:
        raise UnavailableError("my secret prompt")

    with pytest.raises(UnavailableError):
        await tracing.receiving("otlp/x", refuse)(Payload(Signal.LOGS, b"body", 4))

    (span,) = memory.get_finished_spans()
    assert (span.name, span.status.is_ok, span.status.description) == ("receiver/otlp/x/LogsReceived", False, None)
    assert dict(span.attributes or {}) == {
        "receiver": "otlp/x",
        "error.type": "UnavailableError",
        "accepted_log_records": 0,
        "refused_log_records": 4,
    }
    assert span.events == ()


_PARENT = f"00-{0xA1:032x}-{0xB2:016x}-01"


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize(
    ("takes_up", "traceparent", "parent"),
    [
        (True, _PARENT, (0xA1, 0xB2)),
        (False, _PARENT, None),
        (True, _PARENT.replace("00-", "ff-", 1), None),
        (True, "no trace", None),
        (True, None, None),
    ],
)
async def test_a_trace_of_a_sender_goes_on_where_that_is_wanted(
    transport: str, takes_up: bool, traceparent: str | None, parent: tuple[int, int] | None
) -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.instance.id": "this-one"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracing = Tracing(provider, "this-one", takes_up=takes_up)

    async def take(_payload: Payload) -> None:
        with tracing.step("journal/append"):
            return

    consumer = tracing.receiving("otlp", take)
    protocols = Protocols(GrpcConfig("127.0.0.1:0"), HttpConfig("127.0.0.1:0"))
    receiver = OtlpReceiver(Config(protocols), Settings("otlp", {Signal.TRACES: consumer}, {"tracing": tracing}))
    await receiver.start()
    try:
        await _send(receiver.endpoints[transport], {} if traceparent is None else {"traceparent": traceparent})
    finally:
        await receiver.shutdown()

    step, received = memory.get_finished_spans()
    assert (received.name, step.parent) == ("receiver/otlp/TraceDataReceived", received.get_span_context())
    found = received.parent and (received.parent.trace_id, received.parent.span_id)
    assert found == parent
    assert received.context.trace_id == (0xA1 if parent else received.context.trace_id)


async def _send(address: str, headers: dict[str, str]) -> None:
    if address.startswith("http"):
        sent = {"Content-Type": "application/x-protobuf", **headers}
        async with (
            http_client() as client,
            client.post(f"{address}/v1/traces", data=traces(0, 1), headers=sent) as answer,
        ):
            assert answer.status == 200
        return
    async with grpc.aio.insecure_channel(address) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", None, None)
        await export(traces(0, 1), metadata=tuple(headers.items()))


async def test_what_a_sender_does_not_sample_is_not_traced() -> None:
    config = TracesConfig(
        processors=(SpanProcessorConfig(BatchConfig(SpanExporterConfig(OtlpConfig("http://127.0.0.1:9")))),),
        propagators=("tracecontext",),
    )
    tracing = start_tracing(config)
    assert tracing is not None
    recorded: list[bool] = []

    async def take(_payload: Payload) -> None:
        recorded.append(get_current_span().is_recording())

    with tracing.called_with({"traceparent": _PARENT.removesuffix("01") + "00"}.get):
        await tracing.receiving("otlp", take)(Payload(Signal.TRACES, b"another", 1))
    tracing.stop()

    assert recorded == [False]


async def test_a_delivery_has_a_span_unless_all_of_it_is_our_own(
    finished: tuple[Tracing, InMemorySpanExporter],
) -> None:
    tracing, memory = finished

    class Refusing:
        retry = "its own"

        async def export(self, _entries: object) -> None:
            raise PermanentExportError("my secret prompt")

    exporter = tracing.exporting("otlp_http/x", Signal.TRACES, Refusing())  # type: ignore[arg-type]
    own, other = (JournalEntry(1, 0, Payload(Signal.TRACES, body, 2)) for body in (b"..this-one..", b"another"))
    for entries in ([own], [own, other]):
        with pytest.raises(PermanentExportError):
            await exporter.export(entries)

    (span,) = memory.get_finished_spans()
    assert span.name == "exporter/otlp_http/x/traces"
    assert dict(span.attributes or {}) == {
        "exporter": "otlp_http/x",
        "data_type": "traces",
        "error.type": "PermanentExportError",
        "items.sent": 0,
        "items.failed": 4,
    }
    assert exporter.retry == "its own"  # type: ignore[attr-defined]


def test_nothing_is_traced_until_it_is_asked_for() -> None:
    assert start_tracing(TracesConfig()) is None


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_both_protocols_of_the_collector_can_be_named_with_secret_headers(protocol: str) -> None:
    check_fragment(f"""
        service:
          telemetry:
            traces:
              level: basic
              propagators: [tracecontext]
              sampler: {{always_on: }}
              processors:
                - batch: {{exporter: {{otlp: {{protocol: {protocol}, endpoint: "http://localhost:4317",
                    headers: [{{name: authorization, value: Bearer x}}], compression: gzip}}}}}}
        """)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OtlpConfig("localhost:4318"), "endpoint: must be a URL, as http://localhost:4318"),
        (SamplerConfig, "sampler: name one of always_on"),
    ],
)
def test_a_config_that_cannot_work_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
