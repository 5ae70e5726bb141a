"""The `otlp_grpc` exporter against real gRPC servers that answer in every way there is."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from free_ports import free_port
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tcp import connected, listening

from otel_carbon.errors import ConfigError, PermanentExportError, RetryableExportError
from otel_carbon.exporters.otlp_grpc import (
    FACTORY,
    Config,
    KeepaliveConfig,
    OtlpGrpcExporter,
    TlsConfig,
    keepalive_options,
)
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.retry import RetryConfig
from otel_carbon.security.secret import Secret

METHODS = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
PLAIN = TlsConfig(insecure=True)

Answer = Callable[[grpc.aio.ServicerContext[bytes, bytes]], Any]


@dataclass
class Server:
    """Keeps what it is sent, and answers as it is told."""

    address: str = ""
    answer: Answer | None = None
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    async def export(self, service: str, body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.taken.append((service, body))
        self.metadata = dict(context.invocation_metadata() or ())  # type: ignore[arg-type]
        return b"" if self.answer is None else await self.answer(context)


@asynccontextmanager
async def serving(credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[Server]:
    server, process = Server(), grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    for service in METHODS.values():

        async def export(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes], service: str = service) -> bytes:
            return await server.export(service, body, context)

        handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
        process.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    if credentials is None:
        port = process.add_insecure_port("127.0.0.1:0")
    else:
        port = process.add_secure_port("127.0.0.1:0", credentials)
    server.address = f"127.0.0.1:{port}"
    await process.start()
    try:
        yield server
    finally:
        await process.stop(0)


@asynccontextmanager
async def exporting(config: Config, **shared: Any) -> AsyncIterator[OtlpGrpcExporter]:
    exporter = FACTORY.create(config, Settings("otlp_grpc/test", {}, shared))
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.shutdown()


@dataclass
class Forwarder:
    """Passes bytes on and counts those that go to the server."""

    address: str = ""
    bytes_to_server: int = 0

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        while piece := await reader.read(65536):
            self.bytes_to_server += len(piece) if count else 0
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def forwarding_to(address: str) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with connected(address) as (server_reader, server_writer):
            await asyncio.gather(
                forwarder.pass_on(reader, server_writer, count=True),
                forwarder.pass_on(server_reader, writer, count=False),
            )

    async with listening(forward) as forwarder.address:
        yield forwarder


def entry(body: bytes, position: int = 1, signal: Signal = Signal.TRACES) -> JournalEntry:
    return JournalEntry(position, 0, Payload(signal, body, 1))


def one_span(name: str) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name)
    return request.SerializeToString()


def abort_with(code: grpc.StatusCode, retry_delay_s: float | None = None) -> Answer:
    async def answer(context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        trailing: tuple[tuple[str, bytes], ...] = ()
        if retry_delay_s is not None:
            wait, status = RetryInfo(), Status(code=code.value[0])
            wait.retry_delay.FromMilliseconds(round(retry_delay_s * 1000))
            status.details.add().Pack(wait)
            trailing = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(code, "as told", trailing)
        return b""

    return answer


# ---- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", list(Signal), ids=str)
async def test_every_signal_goes_to_its_service(signal: Signal) -> None:
    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        await exporter.export([entry(b"\x0a\x00", signal=signal)])

    assert server.taken == [(METHODS[signal], b"\x0a\x00")]


async def test_several_entries_are_one_request() -> None:
    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        await exporter.export([entry(one_span("a"), 1), entry(one_span("b"), 2)])

    merged = ExportTraceServiceRequest.FromString(server.taken[0][1])
    assert [resource.scope_spans[0].spans[0].name for resource in merged.resource_spans] == ["a", "b"]


async def test_it_says_who_it_is_and_sends_the_headers() -> None:
    async with (
        serving() as server,
        exporting(
            Config(server.address, tls=PLAIN, headers={"X-Tenant": Secret("acme"), "authorization": Secret("Bearer t")})
        ) as exporter,
    ):
        await exporter.export([entry(b"\x0a\x00")])

    assert (server.metadata["x-tenant"], server.metadata["authorization"]) == ("acme", "Bearer t")
    assert server.metadata["user-agent"].startswith("otel-carbon/")


@pytest.mark.parametrize(("compression", "is_small"), [("gzip", True), ("none", False)])
async def test_it_compresses_as_it_is_told(compression: str, is_small: bool) -> None:
    """A forwarder in between sees how many bytes pass."""
    async with (
        serving() as server,
        forwarding_to(server.address) as forwarder,
        exporting(Config(forwarder.address, tls=PLAIN, compression=compression)) as exporter,
    ):
        await exporter.export([entry(one_span("x" * 100_000))])

    assert server.taken == [(METHODS[Signal.TRACES], one_span("x" * 100_000))]
    assert (forwarder.bytes_to_server < 20_000) is is_small


async def test_an_http_scheme_means_no_tls() -> None:
    async with serving() as server, exporting(Config(f"http://{server.address}")) as exporter:
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1


# ---- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_every_code_is_retried_or_given_up_as_the_specification_says(code: grpc.StatusCode) -> None:
    expected = RetryableExportError if code.name in RETRYABLE else PermanentExportError

    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        server.answer = abort_with(code)
        with pytest.raises(expected, match=f"answered {code.name}: as told"):
            await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_the_wait_that_the_server_asks_for_is_passed_on(code: grpc.StatusCode) -> None:
    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        server.answer = abort_with(code, retry_delay_s=2.5)
        with pytest.raises(RetryableExportError) as caught:
            await exporter.export([entry(b"\x0a\x00")])

    assert caught.value.retry_after_s == 2.5


async def test_details_that_cannot_be_read_do_no_harm() -> None:
    async def answer(context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "odd", (("grpc-status-details-bin", b"\xff\xff"),))
        return b""

    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        server.answer = answer
        with pytest.raises(RetryableExportError) as caught:
            await exporter.export([entry(b"\x0a\x00")])

    assert caught.value.retry_after_s is None


async def test_a_partial_success_is_logged_and_counted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[tuple[str, float, dict[str, str]]] = []

    class Telemetry:
        def count(self, name: str, value: float = 1.0, **labels: str) -> None:
            counted.append((name, value, labels))

    async def answer(_: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    caplog.set_level(logging.WARNING)
    async with serving() as server, exporting(Config(server.address, tls=PLAIN), telemetry=Telemetry()) as exporter:
        server.answer = answer
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1
    assert counted == [("exporter_rejected_items", 3, {"exporter": "otlp_grpc/test", "signal": "traces"})]
    assert caplog.messages == ["otlp_grpc/test: the destination rejected 3 items of traces: too old"]


async def test_an_answer_beyond_4_mib_is_not_sent_again() -> None:
    async def answer(_: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return bytes((4 << 20) + 1)

    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        server.answer = answer
        with pytest.raises(PermanentExportError, match="RESOURCE_EXHAUSTED"):
            await exporter.export([entry(b"\x0a\x00", 1), entry(b"\x0a\x00", 2)])

    assert len(server.taken) == 1


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    port = free_port()

    async with exporting(Config(f"127.0.0.1:{port}", tls=PLAIN)) as exporter:
        with pytest.raises(RetryableExportError, match=f"127.0.0.1:{port} answered UNAVAILABLE"):
            await exporter.export([entry(b"\x0a\x00")])


async def test_a_server_that_does_not_answer_in_time_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(f"127.0.0.1:{silent.getsockname()[1]}", tls=PLAIN, timeout="100ms")
        async with exporting(config) as exporter:
            with pytest.raises(RetryableExportError, match="DEADLINE_EXCEEDED"):
                await exporter.export([entry(b"\x0a\x00")])


async def test_what_failed_can_be_delivered_once_the_server_is_back() -> None:
    async with serving() as server, exporting(Config(server.address, tls=PLAIN)) as exporter:
        server.answer = abort_with(grpc.StatusCode.UNAVAILABLE)
        with pytest.raises(RetryableExportError):
            await exporter.export([entry(b"\x0a\x00")])
        server.answer = None
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 2


# ---- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path, "collector.test")


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


def server_credentials(pair: tuple[Path, Path], client_ca: Path | None = None) -> grpc.ServerCredentials:
    key, certificate = (path.read_bytes() for path in pair)
    roots = client_ca.read_bytes() if client_ca else None
    return grpc.ssl_server_credentials([(key, certificate)], roots, require_client_auth=client_ca is not None)


async def test_tls_with_the_right_authority_delivers(certificate: tuple[Path, Path]) -> None:
    tls = TlsConfig(ca_file=str(certificate[1]), server_name_override="collector.test")

    async with (
        serving(server_credentials(certificate)) as server,
        exporting(Config(f"https://{server.address}", tls=tls)) as exporter,
    ):
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1


@pytest.mark.parametrize("name", ["collector.test", "somebody.else"])
async def test_tls_with_another_authority_or_name_delivers_nothing(
    certificate: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    authority = make_certificate(tmp_path, "other.test")[1] if name == "collector.test" else certificate[1]
    tls = TlsConfig(ca_file=str(authority), server_name_override=name)

    async with (
        serving(server_credentials(certificate)) as server,
        exporting(Config(server.address, tls=tls, timeout="2s")) as exporter,
    ):
        with pytest.raises(RetryableExportError):
            await exporter.export([entry(b"\x0a\x00")])

    assert server.taken == []


async def test_a_client_certificate_is_shown(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    client_key, client_certificate = make_certificate(tmp_path, "gateway.test")
    tls = TlsConfig(
        ca_file=str(certificate[1]),
        cert_file=str(client_certificate),
        key_file=str(client_key),
        server_name_override="collector.test",
    )

    async with (
        serving(server_credentials(certificate, client_certificate)) as server,
        exporting(Config(server.address, tls=tls)) as exporter,
    ):
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1


# ---- life cycle and config ------------------------------------------------------------------------------------------


async def test_shutdown_is_safe_before_start_and_twice() -> None:
    exporter = OtlpGrpcExporter(Config("127.0.0.1:1"), Settings("otlp_grpc", {}, {}))

    await exporter.shutdown()
    await exporter.start()
    await exporter.shutdown()
    await exporter.shutdown()


def test_tls_files_that_cannot_work_are_named(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    key, chain = map(str, certificate)
    other_key, other_chain = map(str, make_certificate(tmp_path, "gateway.test"))
    wrong = {
        r"tls::ca_file: cannot use .*none\.pem: No such file": TlsConfig(ca_file=str(tmp_path / "none.pem")),
        r"tls::ca_file: cannot use .*\.key: .*; PEM is needed": TlsConfig(ca_file=key),
        r"tls::key_file: is missing": TlsConfig(cert_file=chain),
        r"tls::cert_file: is missing": TlsConfig(key_file=key),
        r"tls::cert_file: cannot use .* and .*gateway\.test\.key": TlsConfig(cert_file=chain, key_file=other_key),
        r"tls::cert_file: cannot use .* without a passphrase": TlsConfig(
            cert_file=other_chain, key_file=str(_encrypted(Path(other_key)))
        ),
    }
    for message, tls in wrong.items():
        with pytest.raises(ConfigError, match=message):
            OtlpGrpcExporter(Config("tempo:4317", tls=tls), Settings("otlp_grpc", {}, {}))


def _encrypted(key: Path) -> Path:
    path = key.with_suffix(".locked")
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", path],
        check=True,
        capture_output=True,
    )
    return path


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"endpoint": ""}, "endpoint: name the host"),
        ({"endpoint": "http://"}, "endpoint: name the host"),
        ({"endpoint": "tempo"}, "endpoint: name the host and port to send to, as tempo:4317, not 'tempo'"),
        ({"endpoint": "https://tempo:4317/v1/traces"}, "endpoint: name the host and port"),
        ({"endpoint": "::1:4317"}, "endpoint: name the host and port"),
        ({"compression": "zstd"}, "compression: gRPC for Python has no zstd; write gzip or none, or use otlp_http"),
        ({"compression": "snappy"}, "compression: 'snappy' is not one of gzip, none"),
        ({"timeout": "0"}, "timeout must be longer"),
        ({"endpoint": "tempo:65536"}, "endpoint: name the host and port to send to, as tempo:4317, not 'tempo:65536'"),
        ({"headers": {"two words": "x"}}, "headers: 'two words' is not a header name"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**{"endpoint": "tempo:4317", **wrong})


@pytest.mark.parametrize(
    "endpoint", ["tempo:4317", "http://tempo:4317/", "[::1]:4317", "dns:///tempo:4317", "unix:/run/collector.sock"]
)
def test_what_grpc_can_reach_is_an_endpoint(endpoint: str) -> None:
    assert Config(endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"insecure_skip_verify": True}, "tls::insecure_skip_verify: gRPC for Python always checks"),
        ({"min_version": "1.3"}, "tls::min_version: gRPC for Python cannot refuse 1.2"),
    ],
)
def test_what_grpc_for_python_cannot_do_is_refused_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TlsConfig(**wrong)


def test_keepalive_pings_as_it_is_told() -> None:
    assert keepalive_options(KeepaliveConfig(time="1m", timeout="500ms", permit_without_stream=True)) == [
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 500),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


async def test_a_server_is_reached_with_keepalive_too() -> None:
    config = Config("127.0.0.1:1", tls=PLAIN, keepalive=KeepaliveConfig())
    async with serving() as server, exporting(replace(config, endpoint=server.address)) as exporter:
        await exporter.export([entry(b"\x0a\x00")])

    assert len(server.taken) == 1


def test_a_keepalive_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="keepalive::time: must be longer than 0s"):
        KeepaliveConfig(time="0s")


def test_the_defaults_are_those_of_the_collector() -> None:
    config = Config("tempo:4317")

    assert (config.compression, config.timeout, config.tls.insecure) == ("gzip", "5s", False)
    assert OtlpGrpcExporter(config, Settings("otlp_grpc", {}, {})).retry == RetryConfig()
    assert FACTORY.aliases == ("otlp",)
