"""The web endpoint: health, readiness, metrics, report, state, and a page that a person can read."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from otel_carbon.errors import ConfigError, StorageError
from otel_carbon.web import WebServer, WebSources

_INTERVAL = {"low": 0.0004, "central": 0.0125, "high": 1.5}
_REPORT = {
    "totals": {"calls": 1234, "energy_wh": {"low": 1100.0, "central": 2345.6, "high": 9000.0}, "co2e_grams": _INTERVAL},
    "groups": [
        {"provider": "openai", "model": "<b>gpt</b>", "calls": 1, "energy_wh": _INTERVAL, "co2e_grams": _INTERVAL},
        {"provider": None, "model": None, "calls": 2, "energy_wh": _INTERVAL, "co2e_grams": _INTERVAL},
    ],
}
_CURSORS = {
    "otlp_grpc/tempo:traces": {
        "exporter": "otlp_grpc/tempo",
        "signal": "traces",
        "waiting": {"payloads": 2, "items": 1024, "bytes": 9},
        "last_error": "connection refused",
    }
}
_LETTERS = [{"exporter": "otlp_grpc/tempo", "signal": "traces", "payloads": 3, "items": 2048, "bytes": 27}]


class _State:
    """What the gateway behind the page says."""

    reason: str | None = None
    error: Exception | None = None
    asked: Mapping[str, str] | None = None

    def report(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked = query
        if self.error is not None:
            raise self.error
        return _REPORT


@asynccontextmanager
async def _served(state: _State) -> AsyncIterator[aiohttp.ClientSession]:
    sources = WebSources(
        unready_reason=lambda: state.reason,
        metrics_text=lambda: "otelcarbon_x 1.0\n",
        describe=lambda: {"pipelines": {}, "cursors": _CURSORS, "dead_letters": _LETTERS},
        report=state.report,
    )
    server = WebServer("127.0.0.1:0", sources)
    url = await server.start()
    try:
        async with aiohttp.ClientSession(url) as session:
            yield session
    finally:
        await server.shutdown()
        await server.shutdown()


async def test_health_is_about_the_process_and_readiness_about_the_journal() -> None:
    state = _State()
    async with _served(state) as session:
        assert (await (await session.get("/healthz")).json()) == {"status": "ok"}
        assert (await (await session.get("/readyz")).json()) == {"status": "ready"}
        state.reason = "the journal is full"

        answer = await session.get("/readyz")

        assert (answer.status, await answer.json()) == (503, {"status": "unready", "reason": "the journal is full"})
        assert (await session.get("/healthz")).status == 200


async def test_metrics_and_pipelines_are_given_as_they_are() -> None:
    async with _served(_State()) as session:
        metrics = await session.get("/metrics")

        assert await metrics.text() == "otelcarbon_x 1.0\n"
        assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (await (await session.get("/debug/pipelines")).json())["cursors"] == _CURSORS


async def test_the_report_takes_the_parameters_of_the_command() -> None:
    state = _State()
    async with _served(state) as session:
        answer = await session.get("/api/v1/report?from=2026-11-01&by=provider,model")

        assert await answer.json() == _REPORT
        assert state.asked == {"from": "2026-11-01", "by": "provider,model"}


@pytest.mark.parametrize(
    ("error", "status"), [(ConfigError("by: unknown"), 400), (StorageError("no ledger"), 503)], ids=["query", "ledger"]
)
async def test_a_report_that_cannot_be_made_says_why(error: Exception, status: int) -> None:
    state = _State()
    state.error = error
    async with _served(state) as session:
        answer = await session.get("/api/v1/report")

        assert (answer.status, await answer.json()) == (status, {"error": str(error)})


async def test_the_page_shows_totals_with_their_bounds_and_escapes_names() -> None:
    async with _served(_State()) as session:
        answer = await session.get("/")
        page = await answer.text()

    text = " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)).split())
    assert "Calls today 1,234 Energy 2.35 kWh 1.1 to 9 kWh Emissions 12.5 mgCO₂e 0.4 to 1,500 mgCO₂e" in text
    assert "<b>gpt</b>" in text
    assert "<b>gpt" not in page
    assert "not known not known 2 12.5 mWh" in text
    assert "otlp_grpc/tempo traces 1,024 2,048 connection refused" in text
    assert "<script" not in page
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_page_says_why_there_are_no_totals() -> None:
    state = _State()
    state.error, state.reason = StorageError("there is no ledger yet"), "starting <soon>"
    async with _served(state) as session:
        page = await (await session.get("/")).text()

    assert "there is no ledger yet" in page
    assert "not ready: starting &lt;soon&gt;" in page


async def test_a_port_that_is_taken_is_named_with_the_fix() -> None:
    async with _served(_State()) as session:
        address = str(session._base_url).removeprefix("http://").rstrip("/")
        sources = WebSources(lambda: None, str, dict, dict)

        with pytest.raises(ConfigError, match=f"service::web::endpoint: cannot listen on {address}"):
            await WebServer(address, sources).start()
