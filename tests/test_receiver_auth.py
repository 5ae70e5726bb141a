"""Bearer tokens of the `otlp` receiver: who is let in, what the others are told, and whose the data is."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from certificates import Authority
from gateway_process import GatewayProcess, run_cli
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from spans import traces
from tcp import connected, http_client

from otel_carbon.errors import ConfigError, UnauthenticatedError
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers._cors import CorsConfig
from otel_carbon.receivers.otlp import FACTORY, Config, GrpcConfig, HttpConfig, Protocols
from otel_carbon.security import tokens
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.secret import Secret
from otel_carbon.security.tokens import AuthConfig, TokenConfig, Tokens

TRACE_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
ACME = TokenConfig(Secret("token-of-acme"), "acme")
ANYBODY = Secret("token-of-anybody")
AUTH = AuthConfig(tokens=(ANYBODY, ACME))


@dataclass
class Running:
    grpc: str = ""
    http: str = ""
    taken: list[Payload] = field(default_factory=list)
    telemetry: SelfMetrics = field(default_factory=SelfMetrics)

    async def consume(self, payload: Payload) -> None:
        self.taken.append(payload)

    @property
    def tenants(self) -> list[str | None]:
        return [payload.tenant for payload in self.taken]


@asynccontextmanager
async def serving(auth: AuthConfig, *, cors: CorsConfig | None = None, **keys: Any) -> AsyncIterator[Running]:
    running = Running()
    protocols = Protocols(
        GrpcConfig("127.0.0.1:0", auth=auth, **keys), HttpConfig("127.0.0.1:0", auth=auth, cors=cors, **keys)
    )
    shared = {"telemetry": running.telemetry}
    receiver = FACTORY.create(Config(protocols), Settings("otlp", dict.fromkeys(Signal, running.consume), shared))
    await receiver.start()
    running.grpc, running.http = receiver.endpoints["grpc"], receiver.endpoints["http"]
    try:
        yield running
    finally:
        await receiver.shutdown()


async def post(running: Running, *headers: tuple[str, str], path: str = "/v1/traces") -> aiohttp.ClientResponse:
    async with (
        aiohttp.ClientSession() as session,
        session.post(running.http + path, data=b"", headers=[*PROTOBUF.items(), *headers]) as answer,
    ):
        await answer.read()
        return answer


async def refused_by_grpc(running: Running, *metadata: tuple[str, str], body: bytes = b"") -> grpc.aio.AioRpcError:
    async with grpc.aio.insecure_channel(running.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(TRACE_EXPORT)(body, timeout=10, metadata=metadata)
    return caught.value


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


WRONG = {
    "none": [],
    "another token": [bearer("token-of-nobody")],
    "an empty token": [("authorization", "Bearer ")],
    "a longer one": [bearer("token-of-acme2")],
    "another scheme": [("authorization", "Basic token-of-acme")],
    "two headers": [bearer("token-of-acme"), bearer("token-of-acme")],
    "two tokens": [bearer("token-of-acme token-of-anybody")],
}


# ---- who is let in --------------------------------------------------------------------------------------------------


def send_one_span(exporter: SpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("test").start_span("one").end()
    provider.shutdown()


async def test_the_exporters_of_the_sdk_send_with_headers() -> None:
    async with serving(AUTH) as running:
        over_grpc = GrpcSpanExporter(running.grpc, insecure=True, headers=(bearer("token-of-acme"),))
        over_http = HttpSpanExporter(f"{running.http}/v1/traces", headers=dict([bearer("token-of-anybody")]))

        await asyncio.to_thread(send_one_span, over_grpc)
        await asyncio.to_thread(send_one_span, over_http)

    assert running.tenants == ["acme", None]


async def test_the_exporters_of_the_sdk_send_tokens_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # they would go before the file that the exporter names
    authority = Authority(tmp_path)
    server = authority.issue("server")
    trusted = grpc.ssl_channel_credentials(Path(authority.ca_file).read_bytes())  # noqa: ASYNC240
    async with serving(AUTH, tls=ServerTlsConfig(server.cert_file, server.key_file)) as running:
        over_grpc = GrpcSpanExporter(running.grpc, credentials=trusted, headers=(bearer("token-of-acme"),))
        over_http = HttpSpanExporter(
            f"{running.http}/v1/traces",
            certificate_file=authority.ca_file,
            headers=dict([bearer("token-of-acme")]),
        )

        await asyncio.to_thread(send_one_span, over_grpc)
        await asyncio.to_thread(send_one_span, over_http)

    assert running.tenants == ["acme", "acme"]


async def test_the_scheme_is_read_without_regard_to_case() -> None:
    async with serving(AUTH) as running:
        assert (await post(running, ("Authorization", "bearer  token-of-acme"))).status == 200


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
async def test_everybody_else_is_refused(headers: list[tuple[str, str]]) -> None:
    async with serving(AUTH) as running:
        answer = await post(running, *headers)
        error = await refused_by_grpc(running, *headers)

    assert (answer.status, answer.headers["WWW-Authenticate"].startswith('Bearer realm="otel-carbon"')) == (401, True)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert running.taken == []
    for transport in ("http", "grpc"):
        labels = {"receiver": "otlp", "transport": transport, "outcome": "refused"}
        assert running.telemetry.value("receiver_requests", **labels) == 1


# ---- what they are told ---------------------------------------------------------------------------------------------


async def test_a_refusal_is_a_google_rpc_status_in_the_encoding_of_the_request() -> None:
    async with (
        serving(AUTH) as running,
        aiohttp.ClientSession(running.http, headers=dict([bearer("secret-guess")])) as session,
    ):
        async with session.post("/v1/traces", data=b"", headers=PROTOBUF) as answer:
            status = Status.FromString(await answer.read())
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="otel-carbon", error="invalid_token"'
        async with session.post("/v1/logs", json={}) as answer:
            in_json = await answer.json()
        error = await refused_by_grpc(running, bearer("secret-guess"))

    assert (status.code, status.message) == (Code.UNAUTHENTICATED, "the bearer token is not accepted")
    assert in_json == {"code": Code.UNAUTHENTICATED, "message": "the bearer token is not accepted"}
    assert error.details() == "the bearer token is not accepted"
    details: Any = dict(error.trailing_metadata() or ())
    assert Status.FromString(details["grpc-status-details-bin"]).code == Code.UNAUTHENTICATED


async def test_who_shows_no_token_is_not_told_which_paths_and_methods_exist() -> None:
    async with serving(AUTH) as running:
        assert (await post(running, path="/nothing/here")).status == 401
        async with grpc.aio.insecure_channel(running.grpc) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/no.such.Service/Method")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert (await post(running, bearer("token-of-acme"), path="/nothing/here")).status == 404


async def head_of_answer(url: str, head: str) -> str:
    """Send the head of a request and no byte of its body, and return the head of what is answered."""
    async with connected(url.removeprefix("http://")) as (reader, writer):
        writer.write(head.encode())
        return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
async def test_the_refusal_comes_before_the_body_over_http(expect: str) -> None:
    head = (
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        f"Content-Length: 1000000\r\n{expect}AUTH\r\n"
    )
    async with serving(AUTH) as running:
        refused = await head_of_answer(running.http, head.replace("AUTH", ""))
        assert refused.startswith("HTTP/1.1 401 ")
        if expect:
            accepted = await head_of_answer(
                running.http, head.replace("AUTH", "Authorization: Bearer token-of-acme\r\n")
            )
            assert accepted == "HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_sender_that_waits_for_100_continue_gets_it_and_is_answered() -> None:
    async with (
        serving(AUTH) as running,
        aiohttp.ClientSession() as session,
        session.post(
            f"{running.http}/v1/traces",
            data=traces(0, 1),
            headers=dict([*PROTOBUF.items(), bearer("token-of-acme")]),
            expect100=True,
        ) as answer,
    ):
        assert answer.status == 200
    assert [payload.items for payload in running.taken] == [1]


async def test_the_refusal_comes_before_the_body_over_grpc() -> None:
    async def never_ends() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with serving(AUTH) as running, grpc.aio.insecure_channel(running.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.stream_unary(TRACE_EXPORT)(never_ends(), timeout=10)

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_page_of_an_allowed_origin_can_ask_first_and_read_the_refusal() -> None:
    cors = CorsConfig(allowed_origins=("https://app.example",), allowed_headers=("authorization",))
    asks = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with serving(AUTH, cors=cors) as running, aiohttp.ClientSession(running.http) as session:
        async with session.options("/v1/traces", headers=asks) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Headers"]) == (
                204,
                "authorization,content-type",
            )
        async with session.post("/v1/traces", json={}, headers={"Origin": "https://app.example"}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, "https://app.example")


# ---- how tokens are compared ----------------------------------------------------------------------------------------


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real: Callable[[bytes, bytes], bool] = hmac.compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    known = Tokens(AuthConfig(tokens=(Secret("a"), Secret("b" * 9), ACME)), "auth")
    known.load()
    monkeypatch.setattr(hmac, "compare_digest", spy)
    for token in ("a", "b" * 9, "token-of-acme", "x" * 4000):
        compared.clear()
        with contextlib.suppress(UnauthenticatedError):
            known.tenant([f"Bearer {token}"])
        assert compared == [(32, 32)] * 3  # all of them, whichever fits, and digests of one length


# ---- tokens in a file -----------------------------------------------------------------------------------------------


def put(path: Path, text: str) -> None:
    """Replace a file as Kubernetes and careful editors do."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


async def test_tokens_of_a_file_are_accepted_beside_the_named_ones(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    put(path, "# senders\n\ntoken-of-shop  shop of the north\ntoken-of-none\n")
    async with serving(AuthConfig(token=Secret("named"), filename=str(path))) as running:
        for token in ("token-of-shop", "token-of-none", "named"):
            assert (await post(running, bearer(token))).status == 200
        assert (await post(running, bearer("#"))).status == 401

    assert running.tenants == ["shop of the north", None, None]


class Senders:
    """Four that send with every accepted token in turn, without a pause."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.accepted = {"old"}
        self.answers: dict[str, list[int]] = {"old": [], "new": []}
        self._session = session
        self._rounds = [0, 0, 0, 0]

    async def send(self, token: str) -> int:
        sent = {**PROTOBUF, **dict([bearer(token)])}
        async with self._session.post("/v1/traces", data=b"", headers=sent) as answer:
            return answer.status

    async def run(self) -> None:
        await asyncio.gather(*map(self._keep_sending, range(len(self._rounds))))

    async def rounds(self, more: int) -> None:
        """Wait until each of them has gone round so many times more."""
        wanted = [done + more for done in self._rounds]
        async with asyncio.timeout(20):
            while any(done < enough for done, enough in zip(self._rounds, wanted, strict=True)):  # noqa: ASYNC110  they count far too fast for events
                await asyncio.sleep(0.001)

    async def answered(self, token: str, status: int) -> None:
        """Wait until a token gets this answer."""
        async with asyncio.timeout(20):
            while await self.send(token) != status:
                pass

    async def _keep_sending(self, sender: int) -> None:
        while True:
            for token in sorted(self.accepted):
                self.answers[token].append(await self.send(token))
            self._rounds[sender] += 1


async def test_tokens_are_rotated_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_LOOK_EVERY_S", 0.01)
    path = tmp_path / "tokens"
    put(path, "old acme\n")
    async with serving(AuthConfig(filename=str(path))) as running, http_client(running.http) as session:
        senders = Senders(session)
        load = asyncio.create_task(senders.run())
        await senders.rounds(3)
        put(path, "old acme\nnew acme\n")
        await senders.answered("new", 200)
        senders.accepted.add("new")
        await senders.rounds(10)
        senders.accepted.discard("old")
        await senders.rounds(2)  # what is on its way with the old one arrives
        put(path, "new acme\n")
        await senders.answered("old", 401)
        await senders.rounds(10)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)

    assert {token: set(found) for token, found in senders.answers.items()} == {"old": {200}, "new": {200}}
    assert min(len(found) for found in senders.answers.values()) > 20
    assert set(running.tenants) == {"acme"}


@pytest.mark.parametrize("broken", [None, "", "two three\ntwo four\n", "caf\u00e9 x\n"])
async def test_a_file_that_cannot_be_used_any_more_leaves_the_earlier_tokens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    monkeypatch.setattr(tokens, "_LOOK_EVERY_S", 0.0)
    path = tmp_path / "tokens"
    put(path, "token-of-acme acme\n")
    async with serving(AuthConfig(filename=str(path))) as running:
        if broken is None:
            path.unlink()
        else:
            put(path, broken)
        with caplog.at_level(logging.ERROR):
            assert (await post(running, bearer("token-of-acme"))).status == 200

    assert "the earlier tokens stay accepted" in caplog.text
    assert "two" not in caplog.text
    assert "caf" not in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read .*tokens: No such file"),
        ("\n# nothing\n", "holds no token; write one on each line"),
        ("a x\nsecret-1 x\nsecret-1 y\n", "tokens: number 3 stands for another tenant too"),
    ],
)
async def test_a_file_that_cannot_be_used_is_an_error_at_start(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "tokens"
    if text is not None:
        put(path, text)
    config = Config(Protocols(http=HttpConfig("127.0.0.1:0", auth=AuthConfig(filename=str(path)))))
    receiver = FACTORY.create(config, Settings("otlp", {}, {}))

    with pytest.raises(ConfigError, match=f"^protocols::http::auth::filename: .*{message}") as caught:
        await receiver.start()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "names no token; set token, tokens or filename"),
        ({"token": Secret("")}, "^token: is empty"),
        ({"tokens": (ANYBODY, Secret("my secret"))}, "tokens: number 2 is not visible ASCII characters without blanks"),
        ({"token": ANYBODY, "tokens": (TokenConfig(ANYBODY, "x"),)}, "tokens: number 2 stands for another tenant too"),
    ],
)
def test_tokens_that_cannot_be_are_refused_when_the_config_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        AuthConfig(**keys)
    assert "my secret" not in str(caught.value)


# ---- from the token to the ledger -----------------------------------------------------------------------------------


GATEWAY = """\
receivers:
  otlp:
    protocols:
      grpc: {auth: &auth {tokens: ["${env:ANY}", {token: "${env:ACME}", tenant: acme}], filename: "FILE"}}
      http: {auth: *auth}
processors: {carbon: }
exporters:
  ledger:
  otlp_http: {endpoint: "http://user:hidden-password@127.0.0.1:1", headers: {x-api-key: "hidden-header"}}
service:
  web: {auth: {token: "hidden-web-token"}}
  pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [ledger, otlp_http]}}
"""
SECRETS = ("any-token-1", "acme-token-2", "shop-token-3", "hidden-")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANY", "any-token-1")
    monkeypatch.setenv("ACME", "acme-token-2")
    token_file = tmp_path / "tokens"
    token_file.write_text("shop-token-3 shop\n", encoding="utf-8")
    path = tmp_path / "gateway.yaml"
    path.write_text(GATEWAY.replace("FILE", str(token_file)), encoding="utf-8")
    return path


async def test_the_tenant_of_a_token_is_in_the_ledger_and_no_secret_is_anywhere(config: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    gateway = await asyncio.to_thread(GatewayProcess, data_dir, "--config", str(config))
    try:
        ready = gateway.ready
        async with aiohttp.ClientSession(ready["http"], headers=PROTOBUF) as session:
            for number, token in enumerate(("any-token-1", "acme-token-2", "shop-token-3")):
                async with session.post("/v1/traces", data=traces(number, 1), headers=dict([bearer(token)])) as answer:
                    assert answer.status == 200
            async with session.post("/v1/traces", data=b"", headers=dict([bearer("any-token-x")])) as answer:
                assert answer.status == 401
        async with grpc.aio.insecure_channel(ready["grpc"]) as channel:
            await channel.unary_unary(TRACE_EXPORT)(traces(3, 1), metadata=(bearer("acme-token-2"),))
        async with aiohttp.ClientSession(ready["web"], headers=dict([bearer("hidden-web-token")])) as session:
            shown = [await (await session.get(path)).text() for path in ("/debug/pipelines", "/metrics", "/")]
    finally:
        await asyncio.to_thread(gateway.stop)

    with closing(sqlite3.connect(data_dir / "ledger.db")) as ledger:
        lines = ledger.execute("SELECT tenant, count(*) FROM lines GROUP BY 1 ORDER BY 1").fetchall()
    assert dict(lines) == {"acme": 2, "shop": 1, lines[0][0]: 1}
    assert "last_error" in shown[0]
    assert "[REDACTED]@127.0.0.1" in shown[0]
    for text in (*shown, json.dumps(ready), gateway.log()):
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("tenant: acme}", "tenat: acme}"),
        ('auth: {token: "hidden-web-token"}', "auth: hidden-web-token"),
        ('auth: {token: "hidden-web-token"}', "auth: {tokens: hidden-web-token}"),
        ('auth: {token: "hidden-web-token"}', "auth: {token: [hidden-web-token]}"),
        ('{token: "hidden-web-token"}', '{token: "hidden web token"}'),
        ('"hidden-header"', '"hidden-header\\n"'),
        ('{x-api-key: "hidden-header"}', "hidden-header"),
        ("127.0.0.1:1", "127.0.0.1:1/ x:y:z"),
    ],
)
def test_validate_shows_no_secret(config: Path, written: str, wrong: str) -> None:
    valid = run_cli("validate", str(config))
    text = config.read_text(encoding="utf-8")
    assert written in text
    config.write_text(text.replace(written, wrong), encoding="utf-8")

    done = run_cli("validate", str(config))

    assert valid.returncode == 0, valid.stderr
    assert done.returncode == 2 or "x:y:z" in wrong
    for output in (valid.stdout, valid.stderr, done.stdout, done.stderr):
        assert not [secret for secret in (*SECRETS, "hidden") if secret in output]
