"""What OTLP 1.11 asks of a server, one requirement after the other, against a receiver on real ports.

The requirements are those of opentelemetry-proto, docs/specification.md: "OTLP/gRPC", "OTLP/HTTP", "JSON Protobuf
Encoding".
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_carbon.errors import UnavailableError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers.otlp import Config, GrpcConfig, HttpConfig, OtlpReceiver, Protocols

LIMIT_BYTES = 1 << 20
PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE_ID, SPAN_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")
GRPC_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
RESPONSES: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}
EVERY_SIGNAL = pytest.mark.parametrize("signal", list(Signal), ids=str)


@dataclass
class Gateway:
    """A receiver in front of a pipeline that keeps what it is given, or says no."""

    taken: list[Payload] = field(default_factory=list)
    error: Exception | None = None
    http: str = ""
    grpc: str = ""
    session: aiohttp.ClientSession | None = None
    channel: grpc.aio.Channel | None = None

    async def consume(self, payload: Payload) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(payload)

    async def post(
        self, body: bytes, content_type: str = PROTOBUF, path: str = "/v1/traces", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        assert self.session is not None
        sent = {"Content-Type": content_type} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.http + path, data=io.BytesIO(body), headers=sent) as response:
            return response.status, dict(response.headers), await response.read()

    async def call(self, body: bytes, signal: Signal = Signal.TRACES, compression: Any = None) -> bytes:
        assert self.channel is not None
        return await self.channel.unary_unary(GRPC_METHODS[signal])(body, timeout=30, compression=compression)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    config = Config(
        Protocols(
            grpc=GrpcConfig("127.0.0.1:0", max_recv_msg_size_mib=LIMIT_BYTES >> 20),
            http=HttpConfig("127.0.0.1:0", max_request_body_size=LIMIT_BYTES),
        )
    )
    receiver = OtlpReceiver(config, Settings("otlp", dict.fromkeys(Signal, gateway.consume), {}))
    await receiver.start()
    gateway.http, gateway.grpc = receiver.endpoints["http"], receiver.endpoints["grpc"]
    unlimited = [("grpc.max_send_message_length", -1)]
    async with (
        aiohttp.ClientSession() as session,
        grpc.aio.insecure_channel(gateway.grpc, options=unlimited) as channel,
    ):
        gateway.session, gateway.channel = session, channel
        yield gateway
    await receiver.shutdown()


def request_of(signal: Signal) -> bytes:
    match signal:
        case Signal.TRACES:
            return traces().SerializeToString()
        case Signal.METRICS:
            metrics = ExportMetricsServiceRequest()
            metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
            metric.gauge.data_points.add(as_int=1)
            return metrics.SerializeToString()
        case Signal.LOGS:
            logs = ExportLogsServiceRequest()
            logs.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
            return logs.SerializeToString()


def traces(**span: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    given: dict[str, Any] = {"trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "GET /", **span}
    request.resource_spans.add().scope_spans.add().spans.add(**given)
    return request


def json_traces(**span: Any) -> bytes:
    given = {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex(), "name": "GET /", **span}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [given]}]}]}).encode()


def only_span(payload: Payload) -> Any:
    return ExportTraceServiceRequest.FromString(payload.body).resource_spans[0].scope_spans[0].spans[0]


# ---- OTLP/gRPC ------------------------------------------------------------------------------------------------------


@EVERY_SIGNAL
async def test_grpc_takes_every_signal_and_answers_with_an_unset_partial_success(
    gateway: Gateway, signal: Signal
) -> None:
    answer = await gateway.call(request_of(signal), signal)

    assert RESPONSES[signal].FromString(answer).HasField("partial_success") is False
    assert gateway.taken == [Payload(signal, request_of(signal), 1)]


@EVERY_SIGNAL
async def test_grpc_takes_an_empty_request(gateway: Gateway, signal: Signal) -> None:
    assert await gateway.call(b"", signal) == b""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_grpc_takes_plain_and_gzip(gateway: Gateway, compression: grpc.Compression) -> None:
    body = traces(name="x" * 10_000).SerializeToString()

    await gateway.call(body, compression=compression)

    assert [payload.body for payload in gateway.taken] == [body]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_grpc_answers_resource_exhausted_without_retry_info_beyond_the_limit(
    gateway: Gateway, compression: grpc.Compression
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.call(traces(name="x" * LIMIT_BYTES).SerializeToString(), compression=compression)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(caught.value.trailing_metadata())
    assert gateway.taken == []


async def test_grpc_answers_invalid_argument_with_details_for_what_it_cannot_read(gateway: Gateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.call(b"\xff\xff\xff\x01garbage")

    status = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    details = BadRequest()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status.message == caught.value.details()
    assert status.details[0].Unpack(details)
    assert details.field_violations[0].description == status.message


async def test_grpc_answers_unavailable_with_the_wait_when_it_cannot_take_more(gateway: Gateway) -> None:
    gateway.error = UnavailableError("no room", retry_after_s=2.5)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.call(request_of(Signal.TRACES))

    status = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    wait = RetryInfo()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert status.details[0].Unpack(wait)
    assert wait.retry_delay.ToMilliseconds() == 2500


async def test_grpc_serves_concurrent_calls_on_one_connection(gateway: Gateway) -> None:
    answers = await asyncio.gather(*(gateway.call(request_of(Signal.TRACES)) for _ in range(64)))

    assert answers == [b""] * 64
    assert len(gateway.taken) == 64


# ---- OTLP/HTTP ------------------------------------------------------------------------------------------------------


@EVERY_SIGNAL
async def test_http_takes_every_signal_and_answers_in_protobuf(gateway: Gateway, signal: Signal) -> None:
    status, headers, body = await gateway.post(request_of(signal), path=f"/v1/{signal}")

    assert (status, headers["Content-Type"]) == (200, PROTOBUF)
    assert RESPONSES[signal].FromString(body).HasField("partial_success") is False
    assert gateway.taken == [Payload(signal, request_of(signal), 1)]


@EVERY_SIGNAL
@pytest.mark.parametrize(("content_type", "empty"), [(PROTOBUF, b""), (JSON, b"{}")])
async def test_http_takes_an_empty_request(gateway: Gateway, signal: Signal, content_type: str, empty: bytes) -> None:
    status, headers, _ = await gateway.post(empty, content_type, f"/v1/{signal}")

    assert (status, headers["Content-Type"].partition(";")[0]) == (200, content_type)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
@pytest.mark.parametrize(("content_type", "body"), [(PROTOBUF, traces().SerializeToString()), (JSON, json_traces())])
async def test_http_takes_compressed_bodies_in_both_encodings(
    gateway: Gateway, encoding: str, compress: Any, content_type: str, body: bytes
) -> None:
    status, _, _ = await gateway.post(compress(body), content_type, Content_Encoding=encoding)

    assert status == 200
    assert only_span(gateway.taken[0]).trace_id == TRACE_ID


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\0" * (LIMIT_BYTES + 1), {}),
        (gzip.compress(b"\0" * (LIMIT_BYTES + 1)), {"Content_Encoding": "gzip"}),
        (zlib.compress(b"\0" * (64 * LIMIT_BYTES)), {"Content_Encoding": "deflate"}),
        (zstandard.ZstdCompressor().compress(b"\0" * (64 * LIMIT_BYTES)), {"Content_Encoding": "zstd"}),
    ],
    ids=["plain", "gzip", "deflate", "zstd"],
)
async def test_http_answers_413_beyond_the_limit_and_goes_on(
    gateway: Gateway, body: bytes, headers: dict[str, str]
) -> None:
    status, answered, refusal = await gateway.post(body, **headers)

    assert (status, answered["Content-Type"]) == (413, PROTOBUF)
    assert Status.FromString(refusal).message.startswith("the request is larger than the limit of 1048576 bytes")
    assert (await gateway.post(request_of(Signal.TRACES)))[0] == 200


async def test_http_answers_413_to_a_body_of_unknown_length(gateway: Gateway) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"\0" * (LIMIT_BYTES // 16)

    assert gateway.session is not None
    async with gateway.session.post(
        f"{gateway.http}/v1/traces", data=endless(), headers={"Content-Type": PROTOBUF}
    ) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff\x01garbage", {}),
        (b"not gzip", {"Content_Encoding": "gzip"}),
        (gzip.compress(b"\n\x00" * 100)[:-9], {"Content_Encoding": "gzip"}),
        (b"not zstd", {"Content_Encoding": "zstd"}),
    ],
    ids=["garbage", "broken gzip", "truncated gzip", "broken zstd"],
)
async def test_http_answers_400_with_a_status_in_protobuf(
    gateway: Gateway, body: bytes, headers: dict[str, str]
) -> None:
    status, answered, refusal = await gateway.post(body, **headers)

    details = BadRequest()
    assert (status, answered["Content-Type"]) == (400, PROTOBUF)
    assert Status.FromString(refusal).details[0].Unpack(details)
    assert details.field_violations[0].description == Status.FromString(refusal).message != ""


@pytest.mark.parametrize("body", [b"{not json", b"[]", b'"text"', b'{"resourceSpans": 7}', b"\xff\xfe"])
async def test_http_answers_400_with_a_status_in_json(gateway: Gateway, body: bytes) -> None:
    status, headers, refusal = await gateway.post(body, JSON)

    assert (status, headers["Content-Type"].partition(";")[0]) == (400, JSON)
    assert json.loads(refusal)["code"] == 3
    assert json.loads(refusal)["message"] != ""


async def test_http_answers_503_with_the_wait_when_it_cannot_take_more(gateway: Gateway) -> None:
    gateway.error = UnavailableError("no room", retry_after_s=2.5)

    status, headers, refusal = await gateway.post(request_of(Signal.TRACES))

    assert (status, headers["Retry-After"]) == (503, "3")
    assert Status.FromString(refusal).message == "no room"


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/protobuf"])
async def test_http_answers_415_to_another_content_type(gateway: Gateway, content_type: str) -> None:
    status, headers, refusal = await gateway.post(request_of(Signal.TRACES), content_type)

    assert (status, headers["Content-Type"].partition(";")[0]) == (415, JSON)
    assert json.loads(refusal)["message"].startswith("Content-Type must be application/x-protobuf or application/json")


async def test_http_answers_415_to_another_content_encoding(gateway: Gateway) -> None:
    status, _, refusal = await gateway.post(request_of(Signal.TRACES), Content_Encoding="br")

    assert status == 415
    assert Status.FromString(refusal).message.startswith("Content-Encoding must be one of deflate, gzip,")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_http_answers_405_to_another_method(gateway: Gateway, method: str) -> None:
    assert gateway.session is not None
    async with gateway.session.request(method, f"{gateway.http}/v1/traces") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_http_answers_404_elsewhere(gateway: Gateway) -> None:
    status, _, refusal = await gateway.post(b"", path="/v1/profiles")

    assert (status, Status.FromString(refusal).message) == (404, "Not Found: /v1/profiles")


async def test_http_serves_both_encodings_on_one_kept_connection(gateway: Gateway) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        gateway.session = session
        answers = [
            await gateway.post(request_of(Signal.TRACES)),
            await gateway.post(json_traces(), JSON),
            await gateway.post(json_traces(), f"{JSON}; charset=utf-8"),
        ]

    assert [status for status, _, _ in answers] == [200, 200, 200]


# ---- partial success ------------------------------------------------------------------------------------------------


def genai_span(**span: Any) -> bytes:
    model = KeyValue(key="gen_ai.request.model", value=AnyValue(string_value="gpt-4o"))
    operation = KeyValue(key="gen_ai.operation.name", value=AnyValue(string_value="chat"))
    return traces(name="chat gpt-4o", attributes=[model, operation], **span).SerializeToString()


@pytest.mark.parametrize("ids", [{"trace_id": b""}, {"span_id": b"\1"}, {"trace_id": bytes(16)}])
async def test_a_genai_span_without_valid_ids_is_named_in_a_partial_success(
    gateway: Gateway, ids: dict[str, bytes]
) -> None:
    over_grpc = ExportTraceServiceResponse.FromString(await gateway.call(genai_span(**ids)))
    status, _, body = await gateway.post(genai_span(**ids))

    assert over_grpc.partial_success.rejected_spans == 1
    assert over_grpc.partial_success.error_message.startswith("span 'chat gpt-4o' with trace id")
    assert (status, ExportTraceServiceResponse.FromString(body)) == (200, over_grpc)


async def test_a_partial_success_in_json_has_its_count_as_a_string(gateway: Gateway) -> None:
    attributes = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]

    status, _, body = await gateway.post(json_traces(spanId="", attributes=attributes), JSON)

    partial = json.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "1")
    assert partial["errorMessage"].startswith("span 'GET /' with trace id")


async def test_other_spans_pass_whatever_their_ids(gateway: Gateway) -> None:
    assert await gateway.call(traces(trace_id=b"odd").SerializeToString()) == b""


# ---- JSON encoding --------------------------------------------------------------------------------------------------


async def test_json_ids_are_hexadecimal_in_any_case(gateway: Gateway) -> None:
    await gateway.post(json_traces(traceId=TRACE_ID.hex().upper(), spanId=SPAN_ID.hex()), JSON)

    assert (only_span(gateway.taken[0]).trace_id, only_span(gateway.taken[0]).span_id) == (TRACE_ID, SPAN_ID)


@pytest.mark.parametrize("nanos", ["1544712660000000000", 1544712660000000000])
async def test_json_64_bit_integers_are_strings_or_numbers(gateway: Gateway, nanos: str | int) -> None:
    await gateway.post(json_traces(startTimeUnixNano=nanos), JSON)

    assert only_span(gateway.taken[0]).start_time_unix_nano == 1544712660000000000


async def test_json_enumerations_are_numbers_and_never_names(gateway: Gateway) -> None:
    taken, _, _ = await gateway.post(json_traces(kind=2), JSON)
    refused, _, _ = await gateway.post(json_traces(kind="SPAN_KIND_SERVER"), JSON)

    assert (taken, refused) == (200, 400)
    assert only_span(gateway.taken[0]).kind == 2


async def test_json_unknown_names_and_snake_case_names_are_ignored(gateway: Gateway) -> None:
    status, _, _ = await gateway.post(json_traces(futureField={"a": [1]}, start_time_unix_nano="7"), JSON)

    assert status == 200
    assert only_span(gateway.taken[0]).start_time_unix_nano == 0


async def test_json_bytes_other_than_ids_are_base64(gateway: Gateway) -> None:
    value = {"bytesValue": base64.b64encode(b"\x00\xff").decode()}

    await gateway.post(json_traces(attributes=[{"key": "blob", "value": value}]), JSON)

    assert only_span(gateway.taken[0]).attributes[0].value.bytes_value == b"\x00\xff"


# ---- across versions ------------------------------------------------------------------------------------------------


async def test_fields_of_a_newer_version_pass_byte_for_byte(gateway: Gateway) -> None:
    newer = traces().SerializeToString() + b"\xba\x3e\x03new"  # field 999, three bytes

    await gateway.call(newer)
    await gateway.post(newer)

    assert [payload.body for payload in gateway.taken] == [newer, newer]
