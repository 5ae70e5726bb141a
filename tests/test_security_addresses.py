"""Addresses: what others can reach is guarded, and a guard works on every one of them."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from certificates import Authority, Pair
from gateway_process import GatewayProcess, run_cli

from otel_carbon.errors import ConfigError
from otel_carbon.exporters import prometheus
from otel_carbon.gateway.service_config import WebConfig
from otel_carbon.gateway.yaml_source import load_yaml
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.endpoint import parse_endpoint
from otel_carbon.receivers.otlp import GrpcConfig, HttpConfig
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.exposure import is_loopback
from otel_carbon.security.guard import Guard
from otel_carbon.security.secret import Secret, without_password
from otel_carbon.security.tokens import AuthConfig
from otel_carbon.web import WebServer, WebSources

AUTH = AuthConfig(token=Secret("of-the-operator"))
BEARER = {"Authorization": "Bearer of-the-operator"}
LISTENERS: dict[str, tuple[Callable[..., Any], str]] = {
    "grpc": (GrpcConfig, "protocols::grpc::endpoint"),
    "http": (HttpConfig, "protocols::http::endpoint"),
    "prometheus": (prometheus.Config, "endpoint"),
    "web": (WebConfig, "endpoint"),
}
each_listener = pytest.mark.parametrize(("listener", "key"), LISTENERS.values(), ids=LISTENERS.keys())


# ---- what others can reach ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost", True),
        ("LocalHost", True),
        ("", False),
        ("0.0.0.0", False),
        ("[::]", False),
        ("10.0.0.1", False),
        ("[fe80::1%lo]", False),
        ("[::ffff:10.0.0.1]", False),
        ("gateway", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(parse_endpoint(f"{host}:1", "endpoint")) is expected


@each_listener
def test_an_address_that_others_reach_is_refused_unless_something_asks_who_they_are(
    listener: Callable[..., Any], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        listener(":4317")

    assert str(caught.value).startswith(f"{key}: 0.0.0.0:4317 can be reached from other machines")
    for fix in ("auth", "tls::client_ca_file", "127.0.0.1", "allow_unauthenticated: true"):
        assert fix in str(caught.value)


@each_listener
def test_encryption_alone_asks_nobody_who_they_are(listener: Callable[..., Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: "):
        listener("0.0.0.0:4317", tls=ServerTlsConfig("c", "k"))


@each_listener
@pytest.mark.parametrize(
    "keys",
    [{"auth": AUTH}, {"tls": ServerTlsConfig("c", "k", client_ca_file="a")}, {"allow_unauthenticated": True}],
    ids=["tokens", "mtls", "asked for"],
)
def test_it_is_taken_with_tokens_client_certificates_or_when_asked_for(
    listener: Callable[..., Any], key: str, keys: dict[str, Any]
) -> None:
    assert listener("0.0.0.0:4317", **keys).endpoint == "0.0.0.0:4317", key


def test_serve_and_validate_name_the_key_and_the_fix(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "receivers: {otlp: {protocols: {http: {endpoint: '0.0.0.0:0'}}}}\n"
        "exporters: {prometheus: {endpoint: ':9464'}, ledger: }\n"
        "service:\n  web: {endpoint: '[::]:0'}\n"
        "  pipelines:\n    traces: {receivers: [otlp], exporters: [ledger]}\n"
        "    metrics: {receivers: [otlp], exporters: [prometheus]}\n",
        encoding="utf-8",
    )
    for command in (["validate", str(config)], ["serve", "--config", str(config), "--data-dir", str(tmp_path / "d")]):
        done = run_cli(*command)

        assert done.returncode == 2
        for key in ("receivers::otlp::protocols::http", "exporters::prometheus", "service::web"):
            assert f"{key}::endpoint: " in done.stderr
    by_option = run_cli("serve", "--web", "0.0.0.0:0", "--data-dir", str(tmp_path / "d"))
    assert (by_option.returncode, "service::web::endpoint: 0.0.0.0:0" in by_option.stderr) == (2, True)


def test_what_is_open_all_the_same_is_said_at_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Guard(WebConfig("127.0.0.1:1"), "service::web").load()
        assert caplog.messages == []
        Guard(WebConfig(":1", allow_unauthenticated=True), "service::web").load()
        Guard(WebConfig(":2", auth=AUTH), "service::web").load()

    assert caplog.messages == [
        "service::web: whoever reaches 0.0.0.0:1 is let in (allow_unauthenticated)",
        "service::web: tokens travel to 0.0.0.0:2 in plain text; set tls, or end TLS in front",
    ]


# ---- the web endpoint and the one for Prometheus --------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def tls(pair: Pair, **more: str) -> ServerTlsConfig:
    return ServerTlsConfig(pair.cert_file, pair.key_file, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def serving_web(**keys: Any) -> AsyncIterator[str]:
    sources = WebSources(lambda: None, lambda: "otelcarbon_x 1\n", lambda: {"pipelines": {}}, lambda _: {})
    config = WebConfig("127.0.0.1:0", **keys)
    server = WebServer("127.0.0.1:0", sources, Guard(config, "service::web"))
    url = await server.start()
    try:
        yield url
    finally:
        await server.shutdown()


@asynccontextmanager
async def serving_metrics(**keys: Any) -> AsyncIterator[str]:
    exporter = prometheus.FACTORY.create(prometheus.Config("127.0.0.1:0", **keys), Settings("prometheus", {}, {}))
    await exporter.start()
    assert exporter.url is not None
    try:
        yield exporter.url.removesuffix("/metrics")
    finally:
        await exporter.shutdown()


SERVERS = pytest.mark.parametrize("serving", [serving_web, serving_metrics], ids=["web", "prometheus"])


@SERVERS
async def test_pages_ask_for_a_token(serving: Any) -> None:
    async with serving(auth=AUTH) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/metrics") as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="otel-carbon"')
            assert "token" in (await answer.json())["error"]
        async with session.get("/metrics", headers={"Authorization": "Bearer guess"}) as answer:
            assert (answer.status, "invalid_token" in answer.headers["WWW-Authenticate"]) == (401, True)
        async with session.get("/metrics", headers=BEARER) as answer:
            assert answer.status == 200


async def test_on_the_web_endpoint_only_probes_need_no_token() -> None:
    paths = ("/", "/metrics", "/api/v1/report", "/debug/pipelines", "/none", "/healthz", "/readyz")
    async with serving_web(auth=AUTH) as url, aiohttp.ClientSession(url) as session:
        found = {path: (await session.get(path)).status for path in paths}
        refused = await session.get("/")

    assert {path for path, status in found.items() if status == 200} == {"/healthz", "/readyz"}
    assert {status for status in found.values() if status != 200} == {401}
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


@SERVERS
async def test_pages_are_served_over_mtls(serving: Any, authority: Authority) -> None:
    config = tls(authority.issue("server"), client_ca_file=authority.ca_file)
    without = ssl.create_default_context(cafile=authority.ca_file)
    with_one = ssl.create_default_context(cafile=authority.ca_file)
    client = authority.issue("client")
    with_one.load_cert_chain(client.cert_file, client.key_file)
    async with serving(tls=config) as url, aiohttp.ClientSession(url) as session:
        assert url.startswith("https://")
        async with session.get("/metrics", ssl=with_one) as answer:
            assert answer.status == 200
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await session.get("/metrics", ssl=without)


async def test_a_gateway_serves_all_of_it_at_once(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue("server")
    guard = {"tls": {"cert_file": server.cert_file, "key_file": server.key_file}, "auth": {"token": "of-the-operator"}}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": "0.0.0.0:0", **guard}}}},
        "exporters": {"ledger": {}},
        "service": {"web": guard, "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["ledger"]}}},
    }
    path = tmp_path / "gateway.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    gateway = await asyncio.to_thread(
        GatewayProcess, tmp_path / "data", "--config", str(path), "--grpc", "off", addresses=("web",)
    )
    try:
        trusted = ssl.create_default_context(cafile=authority.ca_file)
        async with aiohttp.ClientSession(headers=BEARER, connector=aiohttp.TCPConnector(ssl=trusted)) as session:
            async with session.get(f"{gateway.ready['web']}/debug/pipelines") as answer:
                receivers = (await answer.json())["receivers"]
            url = receivers["otlp"]["http"].replace("0.0.0.0", "127.0.0.1")
            async with session.post(f"{url}/v1/traces", json={}) as answer:
                assert answer.status == 200
    finally:
        await asyncio.to_thread(gateway.stop)

    assert url.startswith("https://")
    assert "of-the-operator" not in gateway.log()


# ---- configs that run code ------------------------------------------------------------------------------------------


def test_a_config_cannot_make_an_object() -> None:
    with pytest.raises(ConfigError, match="could not determine a constructor"):
        load_yaml("receivers: !!python/object/apply:os.getcwd []")


# ---- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_nobody_but_reveal() -> None:
    secret = Secret("hunter2")

    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", "%s" % (secret,), f"{secret}"]  # noqa: UP031  each way of formatting
    shown += [repr(AuthConfig(token=secret)), repr({"a": [secret]}), str(ConfigError(secret))]

    assert not [text for text in shown if "hunter2" in text]
    assert shown[0] == "[REDACTED]"
    for refused in (json.dumps, pickle.dumps, "".join):
        with pytest.raises(TypeError):
            refused([secret])  # type: ignore[operator]
    assert secret.reveal() == "hunter2"
    assert copy.deepcopy(AuthConfig(token=Secret("a"))) == AuthConfig(token=Secret("a"))
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://tempo:4318/v1/traces", "https://tempo:4318/v1/traces"),
        ("https://u:p@tempo/x", "https://[REDACTED]@tempo/x"),
        ("https://token@tempo/x@y", "https://[REDACTED]@tempo/x@y"),
        ("https://u:p@q@tempo", "https://[REDACTED]@tempo"),
        ("https://u:p@[tempo", "[REDACTED]"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_threat_model_names_tests_that_exist() -> None:
    tests = Path(__file__).parent
    named = set(re.findall(r"`(test_\w+\.py)`", (tests.parent / "SECURITY.md").read_text(encoding="utf-8")))

    assert len(named) > 10
    assert sorted(name for name in named if not (tests / name).is_file()) == []
