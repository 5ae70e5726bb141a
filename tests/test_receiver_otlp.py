"""The life of an `otlp` receiver: ports, limits of its config, full pipelines, senders that misbehave."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from free_ports import free_port
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tcp import connected, http_client

from otel_carbon.errors import ConfigError, InvalidDataError, TooLargeError, UnavailableError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers._grpc_keepalive import EnforcementPolicy, ServerParameters
from otel_carbon.receivers.otlp import FACTORY, Config, GrpcConfig, HttpConfig, OtlpReceiver, Protocols

TRACE_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
ONLY_GRPC = Config(Protocols(grpc=GrpcConfig("127.0.0.1:0")))
ONLY_HTTP = Config(Protocols(http=HttpConfig("127.0.0.1:0")))
BOTH = Config(Protocols(GrpcConfig("127.0.0.1:0"), HttpConfig("127.0.0.1:0")))


class Counts:
    """Keeps what a component counts, as (name, labels) -> value."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], float] = {}

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        key = (name, *(labels[label] for label in sorted(labels)))
        self.values[key] = self.values.get(key, 0) + value


async def take(payload: Payload) -> None:
    del payload


def refuse_with(error: Exception) -> Callable[[Payload], Any]:
    async def consume(payload: Payload) -> None:
        del payload
        raise error

    return consume


@asynccontextmanager
async def running(
    config: Config,
    consume: Callable[[Payload], Any] = take,
    signals: tuple[Signal, ...] = tuple(Signal),
    **shared: Any,
) -> AsyncIterator[Mapping[str, str]]:
    receiver = FACTORY.create(config, Settings("otlp/test", dict.fromkeys(signals, consume), shared))
    await receiver.start()
    try:
        yield receiver.endpoints
    finally:
        await receiver.shutdown()


def two_spans() -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(name="a")
    spans.add(name="b")
    return request.SerializeToString()


async def post(url: str, body: bytes, path: str = "/v1/traces") -> tuple[int, Mapping[str, str], bytes]:
    async with http_client() as session, session.post(url + path, data=body, headers=PROTOBUF) as response:
        return response.status, response.headers, await response.read()


async def call(target: str, body: bytes, method: str = TRACE_EXPORT) -> grpc.StatusCode:
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            await channel.unary_unary(method)(body, timeout=30)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


# ---- ports and config -----------------------------------------------------------------------------------------------


async def test_it_tells_where_it_listens_once_started() -> None:
    receiver = OtlpReceiver(BOTH, Settings("otlp", {}, {}))
    assert receiver.endpoints == {}

    await receiver.start()

    assert receiver.endpoints["grpc"].startswith("127.0.0.1:")
    assert receiver.endpoints["http"].startswith("http://127.0.0.1:")
    await receiver.shutdown()


async def test_a_protocol_that_is_left_out_is_off() -> None:
    async with running(ONLY_HTTP) as endpoints:
        assert list(endpoints) == ["http"]
    async with running(ONLY_GRPC) as endpoints:
        assert list(endpoints) == ["grpc"]


async def test_it_listens_on_ipv6() -> None:
    config = Config(Protocols(GrpcConfig("[::1]:0"), HttpConfig("[::1]:0")))

    async with running(config) as endpoints:
        assert endpoints["http"].startswith("http://[::1]:")
        assert (await post(endpoints["http"], b""))[0] == 200
        assert await call(endpoints["grpc"], b"") is grpc.StatusCode.OK


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_a_taken_port_is_an_error_that_names_it(protocol: str) -> None:
    async with running(BOTH) as endpoints:
        taken = endpoints[protocol].removeprefix("http://")
        config = {
            "grpc": Config(Protocols(grpc=GrpcConfig(taken))),
            "http": Config(Protocols(http=HttpConfig(taken))),
        }[protocol]

        with pytest.raises(ConfigError, match=rf"protocols::{protocol}::endpoint: cannot listen on {taken}: .*port 0"):
            await OtlpReceiver(config, Settings("otlp", {}, {})).start()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_an_address_of_another_machine_is_said_to_be_one(protocol: str) -> None:
    config = {
        "grpc": Config(Protocols(grpc=GrpcConfig("192.0.2.1:4317", allow_unauthenticated=True))),
        "http": Config(Protocols(http=HttpConfig("192.0.2.1:4317", allow_unauthenticated=True))),
    }[protocol]

    with pytest.raises(ConfigError) as raised:
        await OtlpReceiver(config, Settings("otlp", {}, {})).start()

    assert str(raised.value) == (
        f"protocols::{protocol}::endpoint: cannot listen on 192.0.2.1:4317: Cannot assign requested address; "
        "set an address that this machine has, as 127.0.0.1, or 0.0.0.0 for all of them"
    )


async def test_a_receiver_that_cannot_have_both_ports_gives_the_first_one_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        grpc_port, http_port = free_port(), busy.getsockname()[1]
        config = Config(Protocols(GrpcConfig(f"127.0.0.1:{grpc_port}"), HttpConfig(f"127.0.0.1:{http_port}")))

        with pytest.raises(ConfigError, match="protocols::http::endpoint"):
            await OtlpReceiver(config, Settings("otlp", {}, {})).start()

    async with running(Config(Protocols(grpc=GrpcConfig(f"127.0.0.1:{grpc_port}")))) as endpoints:
        assert endpoints["grpc"] == f"127.0.0.1:{grpc_port}"


async def test_shutdown_is_safe_before_start_and_twice() -> None:
    receiver = OtlpReceiver(BOTH, Settings("otlp", {}, {}))

    await receiver.shutdown()
    await receiver.start()
    await receiver.shutdown()
    await receiver.shutdown()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Config, "name at least one of grpc and http"),
        (lambda: GrpcConfig("4317"), "protocols::grpc::endpoint: '4317' is not an address"),
        (lambda: GrpcConfig("::1:4317"), "is not an address"),
        (lambda: GrpcConfig(max_recv_msg_size_mib=0), "max_recv_msg_size_mib must be between 1 and 2047"),
        (lambda: GrpcConfig(max_recv_msg_size_mib=2048), "max_recv_msg_size_mib must be between 1 and 2047"),
        (lambda: GrpcConfig(max_send_msg_size_mib=0), "max_send_msg_size_mib must be between 1 and 2047"),
        (lambda: ServerParameters(max_connection_age="old"), "keepalive::server_parameters::max_connection_age: 'old'"),
        (lambda: ServerParameters(time="0s"), "server_parameters::time must be between 1ms and 596h"),
        (lambda: EnforcementPolicy(min_time="600h"), "enforcement_policy::min_time must be between 1ms and 596h"),
        (lambda: HttpConfig(max_response_body_size=0), "max_response_body_size must be at least 1 byte"),
        (lambda: HttpConfig(read_header_timeout="0s"), "read_header_timeout must be longer"),
        (lambda: HttpConfig(idle_timeout="0s"), "idle_timeout must be longer"),
        (lambda: GrpcConfig(max_concurrent_streams=-1), "max_concurrent_streams must be between 0, no limit, and"),
        (lambda: GrpcConfig(max_concurrent_streams=1 << 31), "max_concurrent_streams must be between 0, no limit, and"),
        (lambda: HttpConfig("http://localhost:4318"), "protocols::http::endpoint"),
        (lambda: HttpConfig("localhost:70000"), "is not an address"),
        (lambda: HttpConfig(max_request_body_size=0), "max_request_body_size must be at least 1 byte"),
        (lambda: HttpConfig(read_timeout="soon"), "read_timeout: 'soon' is not a duration"),
        (lambda: HttpConfig(read_timeout="0s"), "read_timeout must be longer"),
        (
            lambda: HttpConfig(traces_url_path="v1/traces"),
            "http::traces_url_path: 'v1/traces' is not a path; write one as",
        ),
        (lambda: HttpConfig(logs_url_path="/{x"), "protocols::http::logs_url_path: '/{x' is not a path; write one as"),
        (lambda: HttpConfig(logs_url_path="/v1/traces"), "must differ"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wrong()


async def test_the_paths_can_be_set() -> None:
    config = Config(Protocols(http=HttpConfig("127.0.0.1:0", traces_url_path="/ingest/spans")))

    async with running(config) as endpoints:
        assert (await post(endpoints["http"], b"", "/ingest/spans"))[0] == 200
        assert (await post(endpoints["http"], b"", "/v1/traces"))[0] == 404


async def test_a_signal_without_a_pipeline_is_not_served_and_says_why() -> None:
    async with running(BOTH, signals=(Signal.METRICS,)) as endpoints:
        async with grpc.aio.insecure_channel(endpoints["grpc"]) as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="no pipeline takes traces from here; add one"):
                await channel.unary_unary(TRACE_EXPORT)(b"")
        _, _, refusal = await post(endpoints["http"], b"")
        assert Status.FromString(refusal).message.startswith("no pipeline takes traces from here; add one")
        assert (await post(endpoints["http"], b"", "/v1/metrics"))[0] == 200
        assert (await post(endpoints["http"], b"", "/v1/traces"))[0] == 404
        assert await call(endpoints["grpc"], b"") is grpc.StatusCode.UNIMPLEMENTED


async def test_the_number_of_concurrent_grpc_requests_can_be_limited() -> None:
    config = Config(Protocols(grpc=GrpcConfig("127.0.0.1:0", max_concurrent_streams=1)))
    running_now, most = 0, 0

    async def consume(payload: Payload) -> None:
        nonlocal running_now, most
        del payload
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.01)
        running_now -= 1

    async with running(config, consume) as endpoints, grpc.aio.insecure_channel(endpoints["grpc"]) as channel:
        export = channel.unary_unary(TRACE_EXPORT)
        await export(b"")  # the limit is known to the client once it is connected
        await asyncio.gather(*(export(b"") for _ in range(8)))

    assert most == 1


# ---- errors of the pipeline -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidDataError("bad"), grpc.StatusCode.INVALID_ARGUMENT, 400),
        (TooLargeError("large"), grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
        (UnavailableError("later"), grpc.StatusCode.UNAVAILABLE, 503),
    ],
)
async def test_an_error_of_the_pipeline_has_its_code(error: Exception, code: grpc.StatusCode, status: int) -> None:
    async with running(BOTH, refuse_with(error)) as endpoints:
        assert await call(endpoints["grpc"], b"") is code
        assert (await post(endpoints["http"], b""))[0] == status


async def test_an_unforeseen_error_is_internal_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "otel_carbon")

    async with running(BOTH, refuse_with(ZeroDivisionError("secret"))) as endpoints:
        code = await call(endpoints["grpc"], b"")
        status, headers, body = await post(endpoints["http"], b"")

    assert code is grpc.StatusCode.INTERNAL
    assert (status, "Retry-After" in headers) == (500, False)
    assert b"secret" not in body
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 2


async def test_everything_is_counted_by_signal_and_transport() -> None:
    counts = Counts()
    async with running(BOTH, telemetry=counts) as endpoints:
        await call(endpoints["grpc"], two_spans())
        await call(endpoints["grpc"], two_spans())
        await post(endpoints["http"], two_spans())
        await post(endpoints["http"], b"garbage")
    async with running(ONLY_HTTP, refuse_with(UnavailableError("later")), telemetry=counts) as endpoints:
        await post(endpoints["http"], two_spans())
    async with running(ONLY_HTTP, refuse_with(ZeroDivisionError()), telemetry=counts) as endpoints:
        await post(endpoints["http"], two_spans())

    assert counts.values == {
        ("receiver_accepted_spans", "otlp/test", "grpc"): 4,
        ("receiver_requests", "success", "otlp/test", "grpc"): 2,
        ("receiver_accepted_spans", "otlp/test", "http"): 2,
        ("receiver_requests", "success", "otlp/test", "http"): 1,
        ("receiver_refused_spans", "otlp/test", "http"): 2,
        ("receiver_requests", "refused", "otlp/test", "http"): 2,
        ("receiver_failed_spans", "otlp/test", "http"): 2,
        ("receiver_requests", "failure", "otlp/test", "http"): 1,
    }


# ---- a full pipeline, and senders that misbehave --------------------------------------------------------------------


async def raw_exchange(url: str, *pieces: bytes) -> bytes:
    """Send bytes over a plain connection and return the first piece of the answer."""
    async with connected(url.removeprefix("http://")) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read(4096)


def head(length: int) -> bytes:
    return (
        "POST /v1/traces HTTP/1.1\r\nHost: gateway\r\n"
        f"Content-Type: application/x-protobuf\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_full_pipeline_answers_before_the_body_is_sent() -> None:
    async with running(BOTH, no_room=lambda: "the journal is full") as endpoints:
        answer = await raw_exchange(endpoints["http"], head(1_000_000))

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5\r\n" in answer
        assert await call(endpoints["grpc"], b"") is grpc.StatusCode.UNAVAILABLE


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent() -> None:
    async with running(ONLY_HTTP) as endpoints:
        assert (await raw_exchange(endpoints["http"], head((64 << 20) + 1))).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_comes_too_slowly_is_not_waited_for() -> None:
    config = Config(Protocols(http=HttpConfig("127.0.0.1:0", read_timeout="50ms")))

    async with running(config) as endpoints:
        answer = await raw_exchange(endpoints["http"], head(100), b"only the beginning")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer


async def test_a_sender_that_hangs_up_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[Payload] = []

    async def consume(payload: Payload) -> None:
        taken.append(payload)

    async with running(ONLY_HTTP, consume) as endpoints:
        async with connected(endpoints["http"].removeprefix("http://")) as (_, writer):
            writer.write(head(100) + b"only the beginning")
            await writer.drain()
            writer.transport.abort()
        assert (await post(endpoints["http"], b""))[0] == 200

    assert [payload.body for payload in taken] == [b""]
    assert caplog.records == []


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
async def test_bytes_that_are_no_http_do_no_harm(garbage: bytes) -> None:
    async with running(ONLY_HTTP) as endpoints:
        await raw_exchange(endpoints["http"], garbage + b"\r\n\r\n")
        assert (await post(endpoints["http"], b""))[0] == 200


async def test_a_request_that_was_begun_is_finished_at_shutdown() -> None:
    begun: asyncio.Queue[None] = asyncio.Queue()
    release = asyncio.Event()

    async def consume(payload: Payload) -> None:
        del payload
        begun.put_nowait(None)
        await release.wait()

    receiver = OtlpReceiver(BOTH, Settings("otlp", {Signal.TRACES: consume}, {}))
    await receiver.start()
    over_http = asyncio.create_task(post(receiver.endpoints["http"], b""))
    over_grpc = asyncio.create_task(call(receiver.endpoints["grpc"], b""))
    await begun.get()
    await begun.get()

    stopping = asyncio.create_task(receiver.shutdown())
    await asyncio.sleep(0)
    release.set()
    await stopping

    assert (await over_http)[0] == 200
    assert await over_grpc is grpc.StatusCode.OK


async def test_an_answer_beyond_the_limit_is_cut_or_else_an_error() -> None:
    def http(limit_bytes: int) -> Config:
        return Config(Protocols(http=HttpConfig("127.0.0.1:0", max_response_body_size=limit_bytes)))

    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add().attributes.add(key="gen_ai.operation.name")
    body = request.SerializeToString()

    async with running(http(50)) as endpoints:
        status, _, answer = await post(endpoints["http"], body)
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert (status, partial.rejected_spans, len(answer) <= 50) == (200, 1, True)
        assert partial.error_message.startswith("span ''")
    async with running(http(2)) as endpoints:
        assert (await post(endpoints["http"], body))[0] == 500
