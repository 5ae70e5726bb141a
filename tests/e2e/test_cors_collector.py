"""One `cors` block in the gateway and in a real Collector: the same questions get the same answers.

The two intended differences (sheet of the otlp receiver, "Browsers") have a test each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from collector_process import running_collector
from free_ports import free_addresses
from gateway_process import GatewayProcess

pytestmark = pytest.mark.e2e

_CONFIG = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: "{endpoint}", cors: {cors}}}}}}}
exporters:
  {exporter}
service:
  {telemetry}pipelines:
    traces: {{receivers: [otlp], exporters: [{name}]}}
"""
_WILDCARDS = '{allowed_origins: ["https://*.example.com", "http://localhost:*", "https://one.test"], max_age: 7200}'
_PAGE = "https://one.test"
_HEADERS = (
    f'{{allowed_origins: ["{_PAGE}"], allowed_headers: [Content-Type, X-Api-Key], exposed_headers: [Retry-After]}}'
)
_ALL_HEADERS = '{allowed_origins: ["https://one.test"], allowed_headers: ["*"], max_age: -1}'
_ORIGINS = (
    None,
    "",
    "null",
    "https://one.test",
    "HTTPS://ONE.TEST",
    "http://one.test",
    "https://one.test:8443",
    "https://a.b.example.com",
    "https://example.com",
    "https://a.example.com.evil.test",
    "http://localhost:3000",
    "http://localhost",
)
_QUESTIONS = (
    ("POST", "content-type"),
    ("POST", "content-type,x-api-key"),
    ("POST", "content-type,x-requested-with"),
    ("POST", None),
    ("GET", "content-type"),
    ("PUT", "content-type"),
)


@pytest.mark.parametrize("cors", [_WILDCARDS, _HEADERS, _ALL_HEADERS, "{}"], ids=["wildcards", "headers", "all", "off"])
def test_both_give_the_same_permissions(otelcol: Path, tmp_path: Path, cors: str) -> None:
    with _both(otelcol, tmp_path, cors) as (collector, gateway):
        for origin, (method, headers) in itertools.product(_ORIGINS, _QUESTIONS):
            asked = _preflight(origin, method, headers)
            assert _answer(gateway, "OPTIONS", asked) == _answer(collector, "OPTIONS", asked), asked
        for origin in _ORIGINS:
            sent = {"Content-Type": "application/json"} | ({} if origin is None else {"Origin": origin})
            assert _answer(gateway, "POST", sent) == _answer(collector, "POST", sent), origin


def test_the_collector_forgets_the_content_type_beside_a_list_of_headers(otelcol: Path, tmp_path: Path) -> None:
    cors = '{allowed_origins: ["https://one.test"], allowed_headers: [X-Api-Key]}'
    asked = _preflight("https://one.test", "POST", "content-type,x-api-key")

    with _both(otelcol, tmp_path, cors) as (collector, gateway):
        assert "access-control-allow-origin" not in _answer(collector, "OPTIONS", asked)[1]
        assert _answer(gateway, "OPTIONS", asked)[1]["access-control-allow-headers"] == "content-type,x-api-key"


def test_a_star_alone_differs_by_a_promise_that_no_browser_takes(otelcol: Path, tmp_path: Path) -> None:
    asked = _preflight("https://one.test", "POST", "content-type")

    with _both(otelcol, tmp_path, '{allowed_origins: ["*"]}') as (collector, gateway):
        theirs, ours = _answer(collector, "OPTIONS", asked)[1], _answer(gateway, "OPTIONS", asked)[1]

    assert theirs == ours | {"access-control-allow-credentials": "true"}


def _preflight(origin: str | None, method: str, headers: str | None) -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return {name: value for name, value in asked.items() if value is not None}


def _answer(address: str, method: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Return the status and the headers that are about cross-origin requests."""
    connection = HTTPConnection(address, timeout=10)
    connection.request(method, "/v1/traces", body=b"{}" if method == "POST" else None, headers=dict(headers))
    response = connection.getresponse()
    response.read()
    connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return response.status, {key: value for key, value in found.items() if key.startswith("access-") or key == "vary"}


@contextmanager
def _both(otelcol: Path, folder: Path, cors: str) -> Iterator[tuple[str, str]]:
    """Run a Collector and a gateway with this block, and give their addresses."""
    (address,) = free_addresses(1)
    theirs, ours = folder / "collector.yaml", folder / "gateway.yaml"
    out = folder / "out.jsonl"
    theirs.write_text(
        _CONFIG.format(
            endpoint=address,
            cors=cors,
            exporter=f"file: {{path: {out}}}",
            name="file",
            telemetry="telemetry: {metrics: {level: none}}\n  ",
        ),
        encoding="utf-8",
    )
    ours.write_text(
        _CONFIG.format(endpoint="127.0.0.1:0", cors=cors, exporter="debug: {}", name="debug", telemetry=""),
        encoding="utf-8",
    )
    with (
        running_collector(otelcol, folder / "collector.log", "--config", theirs, listens=address),
        GatewayProcess(folder / "data", "--config", str(ours), addresses=("web",)) as gateway,
    ):
        yield address, gateway.ready["http"].removeprefix("http://")
