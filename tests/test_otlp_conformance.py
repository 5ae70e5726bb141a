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
from google.protobuf.json_format import Parse
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
from tcp import http_client

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
        http_client() as session,
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
    given: dict[str, Any] = {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex(), "name": "GET /", **span}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [given]}]}]}).encode()


def json_of(signal: Signal) -> bytes:
    """Return what `request_of` gives, in OTLP/JSON."""
    match signal:
        case Signal.TRACES:
            return json_traces()
        case Signal.METRICS:
            metric = {"name": "m", "gauge": {"dataPoints": [{"asInt": "1"}]}}
            return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
        case Signal.LOGS:
            record = {"severityText": "INFO"}
            return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


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


@EVERY_SIGNAL
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_grpc_takes_plain_and_gzip(gateway: Gateway, signal: Signal, compression: grpc.Compression) -> None:
    body = request_of(signal) * 1000  # repeated fields: as many messages in one request

    await gateway.call(body, signal, compression)

    assert gateway.taken == [Payload(signal, body, 1000)]


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


# ---- both transports ------------------------------------------------------------------------------------------------


@EVERY_SIGNAL
@pytest.mark.parametrize("empty", [b"\x0a\x00", b"\x0a\x02\x12\x00"], ids=["no scope", "no item"])
async def test_envelopes_without_content_are_taken(gateway: Gateway, signal: Signal, empty: bytes) -> None:
    name = {Signal.TRACES: "Spans", Signal.METRICS: "Metrics", Signal.LOGS: "Logs"}[signal]
    text = json.dumps({f"resource{name}": [{f"scope{name}": [{}]}]}).encode()

    assert await gateway.call(empty, signal) == b""
    assert (await gateway.post(empty, path=f"/v1/{signal}"))[::2] == (200, b"")
    assert (await gateway.post(text, JSON, f"/v1/{signal}"))[::2] == (200, b"{}")


@EVERY_SIGNAL
async def test_errors_are_a_status_in_the_encoding_of_the_request(gateway: Gateway, signal: Signal) -> None:
    path = f"/v1/{signal}"
    seen: list[tuple[int, Any, int]] = []
    for content_type, garbage in ((PROTOBUF, b"\xff"), (JSON, b"{")):
        large = garbage + b" " * LIMIT_BYTES
        requests: list[tuple[bytes, str, dict[str, str]]] = [
            (garbage, path, {}),
            (garbage, f"{path}/elsewhere", {}),
            (large, path, {}),
            (garbage, path, {"Content_Encoding": "br"}),
        ]
        for body, where, headers in requests:
            status, answered, refusal = await gateway.post(body, content_type, where, **headers)
            said = Status.FromString(refusal) if content_type == PROTOBUF else Parse(refusal, Status())
            assert answered["Content-Type"].partition(";")[0] == content_type
            assert said.message != ""
            seen.append((status, said.code, len(said.details)))

    assert seen == [(400, 3, 1), (404, 5, 0), (413, 8, 0), (415, 3, 1)] * 2


def test_the_default_ports_and_paths_are_those_of_the_specification() -> None:
    http = HttpConfig()

    assert (GrpcConfig().endpoint, http.endpoint) == ("127.0.0.1:4317", "127.0.0.1:4318")
    assert (http.traces_url_path, http.metrics_url_path, http.logs_url_path) == (
        "/v1/traces",
        "/v1/metrics",
        "/v1/logs",
    )
    assert (GrpcConfig().max_recv_msg_size_mib << 20, http.max_request_body_size) == (64 << 20, 64 << 20)
    assert (GrpcConfig().max_send_msg_size_mib << 20, http.max_response_body_size) == (4 << 20, 4 << 20)


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
@EVERY_SIGNAL
async def test_http_takes_compressed_bodies_in_both_encodings(
    gateway: Gateway, encoding: str, compress: Any, signal: Signal
) -> None:
    binary = await gateway.post(compress(request_of(signal)), PROTOBUF, f"/v1/{signal}", Content_Encoding=encoding)
    text = await gateway.post(compress(json_of(signal)), JSON, f"/v1/{signal}", Content_Encoding=encoding)

    assert (binary[0], text[0]) == (200, 200)
    assert gateway.taken == [Payload(signal, request_of(signal), 1)] * 2


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


@pytest.mark.parametrize("ids", [{"trace_id": b""}, {"span_id": b"\1"}])
async def test_all_that_are_rejected_are_counted_and_the_rest_is_taken(gateway: Gateway, ids: dict[str, bytes]) -> None:
    rejected, taken = genai_span(start_time_unix_nano=7, **ids), genai_span(start_time_unix_nano=7)

    answer = ExportTraceServiceResponse.FromString(await gateway.call(rejected + taken + rejected))

    assert answer.partial_success.rejected_spans == 2
    assert " cannot be accounted for (1 more like it): " in answer.partial_success.error_message
    assert gateway.taken == [Payload(Signal.TRACES, rejected + taken + rejected, 3)]


async def test_a_genai_span_without_a_start_is_taken_with_a_warning(gateway: Gateway) -> None:
    over_grpc = ExportTraceServiceResponse.FromString(await gateway.call(genai_span()))
    status, _, body = await gateway.post(genai_span())

    assert over_grpc.HasField("partial_success")
    assert over_grpc.partial_success.rejected_spans == 0
    assert over_grpc.partial_success.error_message == (
        f"span 'chat gpt-4o' with trace id '{TRACE_ID.hex()}' and span id '{SPAN_ID.hex()}' has no start: "
        "it is dated by its end, or else by its arrival"
    )
    assert (status, ExportTraceServiceResponse.FromString(body)) == (200, over_grpc)


@EVERY_SIGNAL
async def test_names_that_are_spelled_wrong_in_json_are_ignored_with_a_warning(
    gateway: Gateway, signal: Signal
) -> None:
    names = {Signal.TRACES: "spans", Signal.METRICS: "metrics", Signal.LOGS: "logs"}
    wrong, right = f"resource_{names[signal]}", f"resource{names[signal].capitalize()}"

    status, _, body = await gateway.post(json.dumps({wrong: []}).encode(), JSON, f"/v1/{signal}")

    rejected = {Signal.TRACES: "rejectedSpans", Signal.METRICS: "rejectedDataPoints", Signal.LOGS: "rejectedLogRecords"}
    assert (status, json.loads(body)["partialSuccess"]) == (
        200,
        {
            rejected[signal]: "0",
            "errorMessage": "ignored as unknown, since names in OTLP/JSON are lowerCamelCase: "
            f"'{wrong}' (it is '{right}')",
        },
    )


async def test_a_warning_names_some_of_many_and_comes_beside_a_rejection(gateway: Gateway) -> None:
    wrong = ("trace_id", "span_id", "trace_state", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano")
    attributes = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]

    _, _, body = await gateway.post(json_traces(spanId="", attributes=attributes, **dict.fromkeys(wrong, "x")), JSON)

    message = json.loads(body)["partialSuccess"]["errorMessage"]
    assert "cannot be accounted for: a trace id has 16 bytes" in message
    assert message.endswith("'start_time_unix_nano' (it is 'startTimeUnixNano') and 1 more")


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


async def test_json_ids_in_snake_case_are_not_read_as_ids(gateway: Gateway) -> None:
    await gateway.post(json_traces(traceId=None, spanId=None, trace_id=TRACE_ID.hex(), span_id=SPAN_ID.hex()), JSON)

    assert (only_span(gateway.taken[0]).trace_id, only_span(gateway.taken[0]).span_id) == (b"", b"")


async def test_json_unknown_names_and_snake_case_names_are_ignored(gateway: Gateway) -> None:
    status, _, _ = await gateway.post(json_traces(futureField={"a": [1]}, start_time_unix_nano="7"), JSON)

    assert status == 200
    assert only_span(gateway.taken[0]).start_time_unix_nano == 0


async def test_json_bytes_other_than_ids_are_base64(gateway: Gateway) -> None:
    value = {"bytesValue": base64.b64encode(b"\x00\xff").decode()}

    await gateway.post(json_traces(attributes=[{"key": "blob", "value": value}]), JSON)

    assert only_span(gateway.taken[0]).attributes[0].value.bytes_value == b"\x00\xff"


@EVERY_SIGNAL
async def test_json_is_taken_for_every_signal_and_answered_in_json(gateway: Gateway, signal: Signal) -> None:
    status, headers, body = await gateway.post(json_of(signal), JSON, f"/v1/{signal}")

    assert (status, headers["Content-Type"].partition(";")[0], body) == (200, JSON, b"{}")
    assert gateway.taken == [Payload(signal, request_of(signal), 1)]


# ---- across versions ------------------------------------------------------------------------------------------------


@EVERY_SIGNAL
async def test_fields_of_a_newer_version_pass_byte_for_byte(gateway: Gateway, signal: Signal) -> None:
    newer = request_of(signal) + b"\xba\x3e\x03new"  # field 999, three bytes

    await gateway.call(newer, signal)
    await gateway.post(newer, path=f"/v1/{signal}")

    assert [payload.body for payload in gateway.taken] == [newer, newer]
