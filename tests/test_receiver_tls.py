"""TLS of the `otlp` receiver: real handshakes, over gRPC and HTTP, with the exporters of the SDK where they can."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import grpc
import grpc.aio
import pytest
from certificates import Authority, Pair
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from otel_carbon.errors import ConfigError
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers.otlp import FACTORY, Config, GrpcConfig, HttpConfig, Protocols
from otel_carbon.security.certificates import Certificates, ServerTlsConfig

TRACE_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
REFUSED = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING", "connection reset"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass
class Running:
    grpc: str = ""
    http: str = ""
    taken: list[Payload] = field(default_factory=list)

    async def consume(self, payload: Payload) -> None:
        self.taken.append(payload)

    @property
    def http_port(self) -> int:
        return int(self.http.rpartition(":")[2])

    @property
    def grpc_port(self) -> int:
        return int(self.grpc.rpartition(":")[2])


@asynccontextmanager
async def serving(http: ServerTlsConfig, grpc_tls: ServerTlsConfig | None = None) -> AsyncIterator[Running]:
    running = Running()
    protocols = Protocols(
        GrpcConfig("127.0.0.1:0", tls=grpc_tls or http if http.min_version == "1.2" else None),
        HttpConfig("127.0.0.1:0", tls=http),
    )
    receiver = FACTORY.create(Config(protocols), Settings("otlp", dict.fromkeys(Signal, running.consume), {}))
    await receiver.start()
    running.grpc, running.http = receiver.endpoints["grpc"], receiver.endpoints["http"]
    try:
        yield running
    finally:
        await receiver.shutdown()


@pytest.fixture(autouse=True)
def _authorities_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `requests` trust what an exporter names: these variables go before it."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.issue("server")


def tls(server: Pair, **more: str) -> ServerTlsConfig:
    return ServerTlsConfig(server.cert_file, server.key_file, **more)  # type: ignore[arg-type]


def send_one_span(exporter: SpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("test").start_span("one").end()
    provider.shutdown()


def credentials(ca_file: str, client: Pair | None = None) -> grpc.ChannelCredentials:
    key, chain = (Path(client.key_file), Path(client.cert_file)) if client else (None, None)
    return grpc.ssl_channel_credentials(
        Path(ca_file).read_bytes(), key and key.read_bytes(), chain and chain.read_bytes()
    )


def client_context(ca_file: str, client: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    if client is not None:
        context.load_cert_chain(client.cert_file, client.key_file)
    return context


async def grpc_code(running: Running, given: grpc.ChannelCredentials) -> grpc.StatusCode:
    async with grpc.aio.secure_channel(running.grpc, given) as channel:
        try:
            await channel.unary_unary(TRACE_EXPORT)(b"", timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def http_status(running: Running, context: ssl.SSLContext) -> int | str:
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with session.post(f"{running.http}/v1/traces", data=b"", headers=PROTOBUF) as answer:
                return answer.status
        except (aiohttp.ClientError, ConnectionError) as error:
            return type(error).__name__


# ---- who is let in --------------------------------------------------------------------------------------------------


async def test_the_exporters_of_the_sdk_send_over_tls(authority: Authority, server: Pair) -> None:
    async with serving(tls(server)) as running:
        over_grpc = GrpcSpanExporter(endpoint=f"https://{running.grpc}", credentials=credentials(authority.ca_file))
        over_http = HttpSpanExporter(endpoint=f"{running.http}/v1/traces", certificate_file=authority.ca_file)

        await asyncio.to_thread(send_one_span, over_grpc)
        await asyncio.to_thread(send_one_span, over_http)

        assert running.http.startswith("https://127.0.0.1:")
        assert [payload.items for payload in running.taken] == [1, 1]


async def test_the_exporters_of_the_sdk_send_over_mtls(authority: Authority, server: Pair) -> None:
    client = authority.issue("client")
    async with serving(tls(server, client_ca_file=authority.ca_file)) as running:
        over_grpc = GrpcSpanExporter(
            endpoint=f"https://{running.grpc}", credentials=credentials(authority.ca_file, client)
        )
        over_http = HttpSpanExporter(
            endpoint=f"{running.http}/v1/traces",
            certificate_file=authority.ca_file,
            client_key_file=client.key_file,
            client_certificate_file=client.cert_file,
        )

        await asyncio.to_thread(send_one_span, over_grpc)
        await asyncio.to_thread(send_one_span, over_http)

        assert [payload.items for payload in running.taken] == [1, 1]


async def test_with_a_client_authority_only_its_valid_certificates_are_let_in(
    authority: Authority, stranger: Authority, server: Pair
) -> None:
    given: dict[str, Pair | None] = {
        "valid": authority.issue("valid"),
        "none": None,
        "of another authority": stranger.issue("other"),
        "expired": authority.issue_expired("old"),
    }
    async with serving(tls(server, client_ca_file=authority.ca_file)) as running:
        over_http = {
            name: await http_status(running, client_context(authority.ca_file, pair)) for name, pair in given.items()
        }
        over_grpc = {name: await grpc_code(running, credentials(authority.ca_file, p)) for name, p in given.items()}

    assert over_http.pop("valid") == 200
    assert all(isinstance(failure, str) for failure in over_http.values()), over_http
    assert over_grpc == {
        "valid": grpc.StatusCode.OK,
        "none": grpc.StatusCode.UNAVAILABLE,
        "of another authority": grpc.StatusCode.UNAVAILABLE,
        "expired": grpc.StatusCode.UNAVAILABLE,
    }


async def test_a_client_refuses_a_server_that_it_cannot_trust(
    authority: Authority, stranger: Authority, server: Pair
) -> None:
    async with serving(tls(server)) as running:
        assert await http_status(running, client_context(stranger.ca_file)) == "ClientConnectorCertificateError"
        assert await grpc_code(running, credentials(stranger.ca_file)) is grpc.StatusCode.UNAVAILABLE
    async with serving(tls(authority.issue_expired("old-server"))) as running:
        assert await http_status(running, client_context(authority.ca_file)) == "ClientConnectorCertificateError"
        assert await grpc_code(running, credentials(authority.ca_file)) is grpc.StatusCode.UNAVAILABLE


# ---- what is spoken -------------------------------------------------------------------------------------------------


def old_client(ca_file: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client that speaks one version, old ones too, as far as this OpenSSL can be brought to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca_file)
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.set_alpn_protocols(["h2"])
    return context


def spoken(port: int, context: ssl.SSLContext) -> str:
    """Return the version that a handshake with a port ends in, or why there is none."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            return wrapped.version() or "nothing"
    except ssl.SSLError as error:
        return error.reason or str(error)
    except ConnectionError:
        return "connection reset"


def lax_server(server: Pair, handshakes: int) -> tuple[socket.socket, Callable[[], None]]:
    """Return a listening socket, and what serves it, that takes TLS 1.1: the proof that the client can speak it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(server.cert_file, server.key_file)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(handshakes):
            plain, _ = listening.accept()
            with closing(context.wrap_socket(plain, server_side=True)):
                pass

    return listening, serve


async def test_tls_1_1_is_refused_by_both_protocols(authority: Authority, server: Pair) -> None:
    client = old_client(authority.ca_file, ssl.TLSVersion.TLSv1_1)
    listening, serve = lax_server(server, 1)
    with closing(listening):
        control, _ = await asyncio.gather(
            asyncio.to_thread(spoken, listening.getsockname()[1], client), asyncio.to_thread(serve)
        )
    assert control == "TLSv1.1"

    async with serving(tls(server)) as running:
        refused = [await asyncio.to_thread(spoken, port, client) for port in (running.http_port, running.grpc_port)]

    assert set(refused) <= REFUSED, refused


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
async def test_tls_1_2_and_1_3_are_spoken(
    authority: Authority, server: Pair, version: ssl.TLSVersion, name: str
) -> None:
    client = old_client(authority.ca_file, version)
    async with serving(tls(server)) as running:
        found = [await asyncio.to_thread(spoken, port, client) for port in (running.http_port, running.grpc_port)]

    assert found == [name, name]


async def test_min_version_1_3_refuses_1_2(authority: Authority, server: Pair) -> None:
    client = old_client(authority.ca_file, ssl.TLSVersion.TLSv1_2)
    async with serving(tls(server, min_version="1.3")) as running:
        assert await asyncio.to_thread(spoken, running.http_port, client) in REFUSED
        assert await http_status(running, client_context(authority.ca_file)) == 200


async def test_plain_text_to_a_tls_port_is_refused_and_harms_nobody(authority: Authority, server: Pair) -> None:
    async with serving(tls(server)) as running:
        with pytest.raises(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://127.0.0.1:{running.http_port}/v1/traces", data=b"", headers=PROTOBUF),
            ):
                pass
        async with grpc.aio.insecure_channel(running.grpc) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(TRACE_EXPORT)(b"", timeout=10)

        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert running.taken == []
        assert await http_status(running, client_context(authority.ca_file)) == 200
        assert await grpc_code(running, credentials(authority.ca_file)) is grpc.StatusCode.OK


# ---- files that are wrong, and files that change --------------------------------------------------------------------


def put_text(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_a_file_that_cannot_be_used_is_an_error_at_start(
    stranger: Authority, server: Pair, tmp_path: Path, protocol: str
) -> None:
    no_pem = tmp_path / "no.pem"
    put_text(str(no_pem), "nothing")
    missing = str(tmp_path / "missing.pem")
    wrong = [
        (ServerTlsConfig(missing, server.key_file), "cert_file: cannot read .*missing.pem: No such file"),
        (ServerTlsConfig(server.cert_file, missing), "key_file: cannot read"),
        (ServerTlsConfig(server.cert_file, stranger.issue("x").key_file), "cert_file: .* the key is not that of the"),
        (tls(server, client_ca_file=str(no_pem)), "client_ca_file: .*no.pem is not PEM"),
    ]
    for config, message in wrong:
        one = GrpcConfig("127.0.0.1:0", tls=config) if protocol == "grpc" else HttpConfig("127.0.0.1:0", tls=config)
        receiver = FACTORY.create(Config(Protocols(**{protocol: one})), Settings("otlp", {}, {}))

        with pytest.raises(ConfigError, match=f"^protocols::{protocol}::tls::{message}"):
            await receiver.start()


def test_grpc_promises_no_minimum_that_its_library_cannot_keep(server: Pair) -> None:
    with pytest.raises(ConfigError, match=r"^protocols::grpc::tls::min_version: the gRPC library"):
        GrpcConfig(tls=tls(server, min_version="1.3"))


@pytest.mark.parametrize("interval", ["0s", "-1s", "soon"])
def test_an_interval_must_be_one(server: Pair, interval: str) -> None:
    with pytest.raises(ConfigError, match=r"^reload_interval"):
        tls(server, reload_interval=interval)


async def test_new_certificates_are_shown_and_asked_for_without_a_restart(
    authority: Authority, stranger: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used = Pair(str(tmp_path / "server.pem"), str(tmp_path / "server.key"))
    client_ca = str(tmp_path / "clients.pem")

    def put(by: Authority, name: str) -> None:
        made = by.issue(name)
        for source, target in ((made.cert_file, used.cert_file), (made.key_file, used.key_file)):
            shutil.copy(source, target + ".new")
            Path(target + ".new").replace(target)
        shutil.copy(by.ca_file, client_ca)

    put(authority, "first")
    config = tls(used, client_ca_file=client_ca, reload_interval="100ms")
    ours, theirs = authority.issue("a-client"), stranger.issue("b-client")
    async with serving(config) as running:

        async def let_in(by: Authority, client: Pair) -> bool:
            http = await http_status(running, client_context(by.ca_file, client))
            return (http, await grpc_code(running, credentials(by.ca_file, client))) == (200, grpc.StatusCode.OK)

        assert await let_in(authority, ours)
        put(stranger, "second")
        await asyncio.sleep(0.2)

        assert await let_in(stranger, theirs)
        assert await http_status(running, client_context(stranger.ca_file, ours)) != 200
        assert await grpc_code(running, credentials(stranger.ca_file, ours)) is grpc.StatusCode.UNAVAILABLE

        put_text(used.cert_file, "not yet complete")
        await asyncio.sleep(0.2)
        with caplog.at_level(logging.ERROR):
            assert await let_in(stranger, theirs)
        assert "the earlier certificates stay in use" in caplog.text


def test_files_are_read_again_only_when_the_interval_has_passed(authority: Authority, tmp_path: Path) -> None:
    first, second = authority.issue("one"), authority.issue("two")
    used = Pair(str(tmp_path / "s.pem"), str(tmp_path / "s.key"))
    now_s = 0.0

    def put(pair: Pair) -> None:
        shutil.copy(pair.cert_file, used.cert_file)
        shutil.copy(pair.key_file, used.key_file)

    put(first)
    certificates = Certificates(tls(used, reload_interval="1m"), "tls", lambda: now_s)
    loaded = certificates.load()
    put(second)

    now_s = 59.0
    assert certificates.current() is loaded
    now_s = 60.0
    assert certificates.current().chain == Path(second.cert_file).read_bytes()
    assert "PRIVATE KEY" not in repr(certificates.current())
