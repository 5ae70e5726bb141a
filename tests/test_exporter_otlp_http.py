"""The `otlp_http` exporter against real HTTP servers that answer in every way there is."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from aiohttp import web
from free_ports import free_port
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from tcp import listening

from otel_carbon.errors import ConfigError, PermanentExportError, RetryableExportError
from otel_carbon.exporters._http_failure import clock_of, retry_after_s
from otel_carbon.exporters.otlp_http import FACTORY, Config, OtlpHttpExporter, TlsConfig
from otel_carbon.pipeline.component import JournalEntry, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.security.secret import Secret

BODY = b"\x0a\x00" * 50_000


@dataclass
class Server:
    """Keeps what it is sent, and answers as it is told."""

    url: str = ""
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    connections: set[Any] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.taken.append((request.path, await request.read()))
        self.headers = dict(request.headers)
        self.connections.add(request.transport)
        if self.answer is None:
            return web.Response(content_type="application/x-protobuf")
        return await self.answer(request)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server, app = Server(), web.Application(client_max_size=1 << 30)
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.url = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def exporting(config: Config, **shared: Any) -> AsyncIterator[OtlpHttpExporter]:
    exporter = FACTORY.create(config, Settings("otlp_http/test", {}, shared))
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.shutdown()


def entry(body: bytes = b"\x0a\x00", position: int = 1, signal: Signal = Signal.TRACES) -> JournalEntry:
    return JournalEntry(position, 0, Payload(signal, body, 1))


def respond(status: int, body: bytes = b"", **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return answer


# ---- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", list(Signal), ids=str)
async def test_every_signal_goes_to_its_path(signal: Signal) -> None:
    async with serving() as server, exporting(Config(f"{server.url}/", compression="none")) as exporter:
        await exporter.export([entry(signal=signal)])

    assert server.taken == [(f"/v1/{signal}", b"\x0a\x00")]


async def test_an_endpoint_of_one_signal_is_used_as_it_is() -> None:
    async with serving() as server:
        config = Config(traces_endpoint=f"{server.url}/api/public/otel/v1/traces")
        async with exporting(config) as exporter:
            await exporter.export([entry()])
            with pytest.raises(PermanentExportError, match="no URL for metrics; set endpoint or metrics_endpoint"):
                await exporter.export([entry(signal=Signal.METRICS)])

    assert [path for path, _ in server.taken] == ["/api/public/otel/v1/traces"]


@pytest.mark.parametrize(
    ("compression", "decompress", "sent_encoding"),
    [
        ("gzip", gzip.decompress, "gzip"),
        ("zstd", zstandard.ZstdDecompressor().decompress, "zstd"),
        ("none", bytes, None),
    ],
)
async def test_it_compresses_as_it_is_told_and_says_so(
    compression: str, decompress: Callable[[bytes], bytes], sent_encoding: str | None
) -> None:
    async with serving() as server, exporting(Config(server.url, compression=compression)) as exporter:
        await exporter.export([entry(BODY)])

    assert decompress(server.taken[0][1]) == BODY
    assert server.headers.get("Content-Encoding") == sent_encoding
    assert server.headers["Content-Type"] == "application/x-protobuf"


async def test_a_body_of_megabytes_is_sent_whole() -> None:
    async with serving() as server, exporting(Config(server.url, compression="none")) as exporter:
        await exporter.export([entry(BODY * 50)])

    assert server.taken == [("/v1/traces", BODY * 50)]


async def test_it_says_who_it_is_and_sends_the_headers() -> None:
    headers = {"Authorization": Secret("Basic abc"), "x-langfuse-ingestion-version": Secret("4")}

    async with serving() as server, exporting(Config(server.url, headers=headers)) as exporter:
        await exporter.export([entry()])

    assert (server.headers["Authorization"], server.headers["x-langfuse-ingestion-version"]) == ("Basic abc", "4")
    assert server.headers["User-Agent"].startswith("otel-carbon/")


async def test_the_connection_is_kept() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        for position in range(1, 6):
            await exporter.export([entry(position=position)])

    assert (len(server.taken), len(server.connections)) == (5, 1)


# ---- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_success_is_any_2xx(status: int) -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(status)
        await exporter.export([entry()])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_these_four_are_tried_again(status: int) -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(status)
        with pytest.raises(RetryableExportError, match=f"answered {status}") as caught:
            await exporter.export([entry()])

    assert caught.value.retry_after_s is None
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    "status", [301, 302, 307, 400, 401, 403, 404, 405, 408, 413, 415, 418, 422, 500, 501, 505, 599]
)
async def test_every_other_answer_is_final(status: int) -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(status, Location=f"{server.url}/elsewhere")
        with pytest.raises(PermanentExportError, match=f"answered {status}"):
            await exporter.export([entry()])

    assert len(server.taken) == 1


async def test_the_reason_is_the_message_of_the_status() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(400, Status(message="span without a name").SerializeToString())
        with pytest.raises(PermanentExportError, match="answered 400: span without a name"):
            await exporter.export([entry()])


async def test_the_reason_is_the_page_of_a_proxy() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(403, b"<h1>Forbidden</h1>")
        with pytest.raises(PermanentExportError, match="answered 403: <h1>Forbidden</h1>"):
            await exporter.export([entry()])


async def test_a_wait_in_seconds_is_passed_on() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(503, Retry_After="17")
        with pytest.raises(RetryableExportError) as caught:
            await exporter.export([entry()])

    assert caught.value.retry_after_s == 17.0


@pytest.mark.parametrize("clock_is_off_s", [-86_400, 86_400])
async def test_a_wait_until_a_date_is_taken_from_the_clock_that_says_so(clock_is_off_s: float) -> None:
    said = datetime.now(UTC) + timedelta(seconds=clock_is_off_s)
    until = format_datetime(said + timedelta(seconds=30), usegmt=True)

    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(503, Retry_After=until, Date=format_datetime(said, usegmt=True))
        with pytest.raises(RetryableExportError) as caught:
            await exporter.export([entry()])

    assert caught.value.retry_after_s == 30.0


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_without_a_date_of_the_destination_the_own_clock_counts(date: str | None) -> None:
    assert clock_of(date, 17.0) == 17.0


async def test_a_wait_until_a_date_is_passed_on() -> None:
    long_past = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)

    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(429, Retry_After=long_past)
        with pytest.raises(RetryableExportError) as caught:
            await exporter.export([entry()])

    assert caught.value.retry_after_s == 0.0


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_has_two_forms(header: str | None, wait_s: float | None) -> None:
    now_unix_s = datetime(2015, 10, 21, 7, 27, 30, tzinfo=UTC).timestamp()

    assert retry_after_s(header, now_unix_s) == wait_s


async def test_a_partial_success_is_logged_and_counted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[tuple[str, float, dict[str, str]]] = []

    class Telemetry:
        def count(self, name: str, value: float = 1.0, **labels: str) -> None:
            counted.append((name, value, labels))

    partial = ExportLogsPartialSuccess(rejected_log_records=2, error_message="too old")
    caplog.set_level(logging.WARNING)
    async with serving() as server, exporting(Config(server.url), telemetry=Telemetry()) as exporter:
        server.answer = respond(200, ExportLogsServiceResponse(partial_success=partial).SerializeToString())
        await exporter.export([entry(signal=Signal.LOGS)])

    assert len(server.taken) == 1
    assert counted == [("exporter_rejected_items", 2, {"exporter": "otlp_http/test", "signal": "logs"})]
    assert caplog.messages == ["otlp_http/test: the destination rejected 2 items of logs: too old"]


async def test_an_answer_that_cannot_be_read_is_still_success() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(200, b"OK, thank you")
        await exporter.export([entry()])


async def test_an_answer_beyond_4_mib_is_final() -> None:
    async with serving() as server, exporting(Config(server.url)) as exporter:
        server.answer = respond(200, bytes((4 << 20) + 1))
        with pytest.raises(PermanentExportError, match="more than 4194304 bytes"):
            await exporter.export([entry()])

    assert len(server.taken) == 1


# ---- no answer at all -----------------------------------------------------------------------------------------------


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    port = free_port()

    async with exporting(Config(f"http://127.0.0.1:{port}")) as exporter:
        with pytest.raises(RetryableExportError, match="Cannot connect") as caught:
            await exporter.export([entry()])

    said = f"http://127.0.0.1:{port}/v1/traces: Cannot connect to 127.0.0.1:{port}: Connection refused"
    assert str(caught.value) == said


async def test_a_server_that_hangs_up_in_the_middle_is_tried_again() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async with listening(hang_up) as address, exporting(Config(f"http://{address}")) as exporter:
        with pytest.raises(RetryableExportError):
            await exporter.export([entry(BODY)])


async def test_an_answer_that_breaks_off_is_tried_again() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        await writer.drain()

    async with listening(break_off) as address, exporting(Config(f"http://{address}")) as exporter:
        with pytest.raises(RetryableExportError):
            await exporter.export([entry()])


async def test_a_server_that_does_not_answer_in_time_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout="100ms")
        async with exporting(config) as exporter:
            with pytest.raises(RetryableExportError):
                await exporter.export([entry()])


# ---- TLS ------------------------------------------------------------------------------------------------------------


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


def server_context(pair: tuple[Path, Path], client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair[1], pair[0])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path, "collector.test")


async def test_tls_with_the_right_authority_delivers(certificate: tuple[Path, Path]) -> None:
    tls = TlsConfig(ca_file=str(certificate[1]), server_name_override="collector.test")

    async with serving(server_context(certificate)) as server, exporting(Config(server.url, tls=tls)) as exporter:
        await exporter.export([entry()])

    assert len(server.taken) == 1


@pytest.mark.parametrize("name", ["collector.test", "somebody.else"])
async def test_tls_with_another_authority_or_name_delivers_nothing(
    certificate: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    authority = make_certificate(tmp_path, "other.test")[1] if name == "collector.test" else certificate[1]
    tls = TlsConfig(ca_file=str(authority), server_name_override=name)

    async with serving(server_context(certificate)) as server, exporting(Config(server.url, tls=tls)) as exporter:
        with pytest.raises(RetryableExportError, match="certificate verify failed"):
            await exporter.export([entry()])

    assert server.taken == []


async def test_tls_without_verification_delivers(certificate: tuple[Path, Path]) -> None:
    config_tls = TlsConfig(insecure_skip_verify=True)

    async with (
        serving(server_context(certificate)) as server,
        exporting(Config(server.url, tls=config_tls)) as exporter,
    ):
        await exporter.export([entry()])

    assert len(server.taken) == 1


async def test_a_server_that_knows_only_tls_1_2_is_refused_where_1_3_is_asked_for(
    certificate: tuple[Path, Path],
) -> None:
    context = server_context(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = TlsConfig(ca_file=str(certificate[1]), server_name_override="collector.test", min_version="1.3")

    async with serving(context) as server, exporting(Config(server.url, tls=tls)) as exporter:
        with pytest.raises(RetryableExportError):
            await exporter.export([entry()])

    assert server.taken == []


async def test_without_keep_alive_every_request_has_a_connection_of_its_own() -> None:
    async with serving() as server, exporting(Config(server.url, disable_keep_alives=True)) as exporter:
        for position in range(1, 4):
            await exporter.export([entry(position=position)])

    assert (len(server.taken), len(server.connections)) == (3, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tls": TlsConfig(insecure=True)}, "tls::insecure: cannot be true with an https endpoint"),
        ({"idle_conn_timeout": "0s"}, "idle_conn_timeout: must be longer than 0s"),
        ({"max_conns_per_host": -1}, "max_conns_per_host: must not be negative"),
    ],
)
def test_a_wrong_setting_of_connections_is_refused_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**{"endpoint": "https://tempo:4318", **wrong})


async def test_a_client_certificate_is_shown(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    client_key, client_certificate = make_certificate(tmp_path, "gateway.test")
    tls = TlsConfig(
        ca_file=str(certificate[1]),
        cert_file=str(client_certificate),
        key_file=str(client_key),
        server_name_override="collector.test",
    )

    async with (
        serving(server_context(certificate, client_certificate)) as server,
        exporting(Config(server.url, tls=tls)) as exporter,
    ):
        await exporter.export([entry()])

    assert len(server.taken) == 1


# ---- life cycle and config ------------------------------------------------------------------------------------------


async def test_shutdown_is_safe_before_start_and_twice() -> None:
    exporter = OtlpHttpExporter(Config("http://127.0.0.1:1"), Settings("otlp_http", {}, {}))

    await exporter.shutdown()
    await exporter.start()
    await exporter.shutdown()
    await exporter.shutdown()


async def test_a_tls_file_that_is_missing_or_no_certificate_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")

    for name in ("none.pem", "text.pem"):
        config = Config("https://tempo", tls=TlsConfig(ca_file=str(tmp_path / name)))
        with pytest.raises(ConfigError, match=f"tls::ca_file: cannot use .*{name}"):
            await OtlpHttpExporter(config, Settings("otlp_http", {}, {})).start()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "endpoint: name the URL"),
        ({"endpoint": "tempo:4318"}, "^endpoint: 'tempo:4318' is not a URL"),
        ({"logs_endpoint": "ftp://tempo"}, "^logs_endpoint: 'ftp://tempo' is not a URL"),
        (
            {"endpoint": "http://tempo:4318", "compression": "snappy"},
            "compression: 'snappy' is not one of none, gzip, zstd",
        ),
        ({"endpoint": "http://tempo:4318", "timeout": "0"}, "timeout must be longer"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**wrong)


def test_the_defaults_are_those_of_the_collector() -> None:
    config = Config("http://tempo:4318")

    assert (config.compression, config.timeout) == ("gzip", "30s")
    assert FACTORY.aliases == ("otlphttp",)
