"""Browsers on other origins: what they may ask, and what they are told, over real HTTP.

The cases follow the Fetch standard (CORS protocol) and the Collector's `confighttp`; a real browser and a real
Collector are in tests/e2e.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tcp import http_client

from otel_carbon.errors import ConfigError, UnavailableError
from otel_carbon.gateway.config import check_fragment
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.receivers._cors import CorsConfig
from otel_carbon.receivers.otlp import Config, HttpConfig, OtlpReceiver, Protocols

PAGE = "https://app.example.com"
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
JSON = {"Content-Type": "application/json"}


class Receiver:
    """A receiver on a free port. `error` is what its pipeline answers with, `taken` what it was given."""

    def __init__(self, cors: CorsConfig | None, *, has_room: bool = True) -> None:
        self.taken: list[Payload] = []
        self.error: Exception | None = None
        self.counted: list[str] = []
        shared = {"telemetry": self, "no_room": lambda: None if has_room else "the journal is full"}
        config = Config(Protocols(http=HttpConfig("127.0.0.1:0", cors=cors)))
        self.receiver = OtlpReceiver(config, Settings("otlp", dict.fromkeys(Signal, self.consume), shared))

    async def consume(self, payload: Payload) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(payload)

    def count(self, name: str, value: float = 1.0, **labels: str) -> None:
        del value, labels
        self.counted.append(name)

    async def ask(
        self, method: str, headers: Mapping[str, str], body: bytes = b"{}", path: str = "/v1/traces"
    ) -> tuple[int, dict[str, str], bytes]:
        url = self.receiver.endpoints["http"] + path
        data = io.BytesIO(body) if method == "POST" else None
        async with (
            http_client(skip_auto_headers=["Content-Type"]) as session,
            session.request(method, url, headers=headers, data=data) as answer,
        ):
            cors = {
                name: value
                for name, value in answer.headers.items()
                if name.startswith("Access-Control-") or name in {"Vary", "Retry-After", "Allow"}
            }
            return answer.status, cors, await answer.read()

    async def preflight(
        self, origin: str = PAGE, method: str = "POST", headers: str = "content-type"
    ) -> dict[str, str]:
        asked = {"Origin": origin, "Access-Control-Request-Method": method}
        if headers:
            asked["Access-Control-Request-Headers"] = headers
        status, answer, body = await self.ask("OPTIONS", asked)
        assert (status, body) == (204, b"")
        return answer


@asynccontextmanager
async def running(*origins: str, has_room: bool = True, **keys: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(CorsConfig(allowed_origins=origins, **keys), has_room=has_room)
    await receiver.receiver.start()
    try:
        yield receiver
    finally:
        await receiver.receiver.shutdown()


def granted(origin: str = PAGE, headers: str = "content-type") -> dict[str, str]:
    return {
        "Vary": PREFLIGHT_VARY,
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": headers,
    }


REFUSED = {"Vary": PREFLIGHT_VARY}


# ---- preflight ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cors", [None, CorsConfig()])
async def test_it_is_off_by_default(cors: CorsConfig | None) -> None:
    receiver = Receiver(cors)
    await receiver.receiver.start()
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    preflight = await receiver.ask("OPTIONS", asked)
    actual = await receiver.ask("POST", {"Origin": PAGE, **JSON})

    assert preflight[:2] == (405, {"Allow": "POST"})
    assert actual[:2] == (200, {})
    await receiver.receiver.shutdown()


async def test_a_listed_page_may_send() -> None:
    async with running(PAGE) as receiver:
        assert await receiver.preflight() == granted()
        assert receiver.counted == []


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs", "/elsewhere"])
async def test_a_preflight_is_answered_on_every_path(path: str) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}

    async with running(PAGE) as receiver:
        status, headers, _ = await receiver.ask("OPTIONS", asked, path=path)

    assert (status, headers["Access-Control-Allow-Origin"]) == (204, PAGE)


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://app.example.com", "https://app.example.com", True),
        ("https://App.Example.com", "https://app.example.com", True),
        ("https://app.example.com", "http://app.example.com", False),
        ("https://app.example.com", "https://app.example.com:8443", False),
        ("https://app.example.com", "https://app.example.com.evil.test", False),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://.example.com", True),  # nothing at all, too
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://evil.test/.example.com.evil.test", False),
        ("http://localhost:*", "http://localhost:3000", True),
        ("http://localhost:*", "http://localhost", False),
        ("https://*", "https://anything.test:1", True),
        ("https://*", "http://anything.test", False),
        ("https://a*a.test", "https://a.test", False),  # begin and end must not share a letter
        ("null", "null", True),
        ("https://app.example.com", "null", False),
    ],
)
async def test_an_origin_is_compared_whole(pattern: str, origin: str, allowed: bool) -> None:
    async with running("https://other.test", pattern) as receiver:
        assert await receiver.preflight(origin) == (granted(origin) if allowed else REFUSED)


async def test_a_star_alone_is_every_origin_without_credentials() -> None:
    expected = granted("*")
    del expected["Access-Control-Allow-Credentials"]

    async with running("*") as receiver:
        assert await receiver.preflight("http://anything.test") == expected
        assert (await receiver.ask("POST", {"Origin": PAGE, **JSON}))[1] == {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": "*",
        }


@pytest.mark.parametrize(
    ("listed", "asked", "allowed"),
    [
        ((), "content-type", True),
        ((), "Content-Type, X-Requested-With", True),
        ((), "content-type,x-api-key", False),
        (("X-API-Key",), "content-type,x-api-key", True),
        (("x-api-key",), "accept,accept-language,content-language,content-type,x-api-key", True),
        (("x-api-key",), "content-type,x-requested-with", False),
        (("*",), "content-type,anything", True),
        (("x-api-key",), "", True),
    ],
)
async def test_request_headers_must_be_safe_or_listed(listed: tuple[str, ...], asked: str, allowed: bool) -> None:
    async with running(PAGE, allowed_headers=listed) as receiver:
        answer = await receiver.preflight(headers=asked)

    expected = granted(headers=asked) if allowed else REFUSED
    assert answer == {name: value for name, value in expected.items() if value}


@pytest.mark.parametrize(("method", "allowed"), [("POST", True), ("GET", True), ("PUT", False), ("DELETE", False)])
async def test_methods_are_those_of_the_collector(method: str, allowed: bool) -> None:
    async with running(PAGE) as receiver:
        assert (await receiver.preflight(method=method)).get("Access-Control-Allow-Methods") == (
            method if allowed else None
        )


@pytest.mark.parametrize(("max_age", "sent"), [(7200, "7200"), (0, None), (-1, "0")])
async def test_a_permission_may_be_kept_as_long_as_configured(max_age: int, sent: str | None) -> None:
    async with running(PAGE, max_age=max_age) as receiver:
        assert (await receiver.preflight()).get("Access-Control-Max-Age") == sent


async def test_no_permission_is_given_for_a_private_network() -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}

    async with running(PAGE) as receiver:
        _, headers, _ = await receiver.ask("OPTIONS", asked)

    assert "Access-Control-Allow-Private-Network" not in headers


async def test_options_that_is_no_preflight_is_another_method() -> None:
    async with running(PAGE) as receiver:
        assert (await receiver.ask("OPTIONS", {"Origin": PAGE}))[0] == 405


# ---- the request itself ---------------------------------------------------------------------------------------------


async def test_the_answer_is_readable_by_the_page_that_asked() -> None:
    async with running(PAGE, exposed_headers=("Retry-After", "X-Other")) as receiver:
        status, headers, _ = await receiver.ask("POST", {"Origin": PAGE, **JSON})

    assert (status, len(receiver.taken)) == (200, 1)
    assert headers == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": PAGE,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After, X-Other",
    }


@pytest.mark.parametrize("origin", [None, "https://stranger.test"])
async def test_an_answer_depends_on_the_origin_even_where_nothing_is_granted(origin: str | None) -> None:
    async with running(PAGE) as receiver:
        status, headers, _ = await receiver.ask("POST", {**JSON, **({"Origin": origin} if origin else {})})

    assert (status, headers) == (200, {"Vary": "Origin"})


@pytest.mark.parametrize(
    ("status", "body", "path", "error"),
    [
        (400, b"no json", "/v1/traces", None),
        (404, b"{}", "/elsewhere", None),
        (413, b" " * ((64 << 20) + 1), "/v1/traces", None),
        (500, b"{}", "/v1/traces", ZeroDivisionError()),
        (503, b"{}", "/v1/traces", UnavailableError("later")),
    ],
)
async def test_an_error_is_readable_too(status: int, body: bytes, path: str, error: Exception | None) -> None:
    async with running(PAGE) as receiver:
        receiver.error = error
        answered, headers, text = await receiver.ask("POST", {"Origin": PAGE, **JSON}, body, path)

    assert (answered, headers["Access-Control-Allow-Origin"]) == (status, PAGE)
    assert b'"message"' in text


async def test_a_full_journal_is_told_to_the_page() -> None:
    async with running(PAGE, has_room=False, exposed_headers=("Retry-After",)) as receiver:
        assert await receiver.preflight() == granted()
        status, headers, _ = await receiver.ask("POST", {"Origin": PAGE, **JSON})

    assert (status, headers["Retry-After"]) == (503, "5")
    assert headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize(
    "simple", [{"Content-Type": "text/plain"}, {"Content-Type": "text/plain;application/json"}, {}]
)
async def test_a_stranger_cannot_write_without_a_preflight(simple: dict[str, str]) -> None:
    """What a browser sends unasked has one of three content types, or none; OTLP has neither."""
    async with running(PAGE) as receiver:
        status, headers, _ = await receiver.ask("POST", {"Origin": "https://stranger.test", **simple})

    assert (status, headers, receiver.taken) == (415, {"Vary": "Origin"}, [])


# ---- config ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"allowed_origins": ("app.example.com",)}, "'app.example.com' has no scheme; write https://app.example.com"),
        ({"allowed_origins": ("https://app.example.com/",)}, "can match no origin; a browser sends scheme, host"),
        ({"allowed_origins": ("https://*.example.com/app",)}, "can match no origin"),
        ({"allowed_origins": ("https://",)}, "can match no origin"),
        ({"allowed_origins": ("",)}, "has no scheme"),
        ({"allowed_origins": ("https://*.*.com",)}, r"more than one \*"),
        ({"allowed_headers": ("x-api-key",)}, "nothing is allowed without an origin; list the pages"),
        ({"max_age": 60}, "nothing is allowed without an origin"),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"protocols::http::cors.*{message}"):
        CorsConfig(**keys)


@pytest.mark.parametrize("cors", ["", "null", "{}", "{allowed_origins: []}"])
def test_a_config_may_leave_it_blank(cors: str) -> None:
    check_fragment(f"receivers:\n  otlp:\n    protocols:\n      http:\n        cors: {cors}\n")


def test_an_unknown_key_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match="receivers::otlp::protocols::http::cors::allow_origins: unknown key"):
        check_fragment("receivers: {otlp: {protocols: {http: {cors: {allow_origins: ['*']}}}}}")


def test_the_sheet_gives_its_keys_and_defaults() -> None:
    sheet = Path(__file__).parents[1] / "receivers" / "otlp" / "metadata.yaml"
    keys = yaml.safe_load(sheet.read_text(encoding="utf-8"))["config"]["protocols"]["http"]["keys"]["cors"]["keys"]

    defaults = dataclasses.asdict(CorsConfig())
    assert {name: entry["default"] for name, entry in keys.items()} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }
