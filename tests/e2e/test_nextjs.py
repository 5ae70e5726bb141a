"""`examples/nextjs`, built and started for real: every call of every SDK is in the ledger once, with its tokens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from gateway_process import GatewayProcess, run_cli
from genai_provider import GenaiProvider, running_provider
from js_ledger import Line, counted, expected, ledger_lines
from node_project import browsing, installed, run, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

_KEYS = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none", "MISTRAL_API_KEY": "none"}
_QUIET = {"NEXT_TELEMETRY_DISABLED": "1"}
# The ways that the form offers, with the calls that each makes.
_WAYS = {
    "action": 1,
    "openai": 1,
    "anthropic": 1,
    "pages": 1,
    "aiOpenai": 1,
    "aiAnthropic": 1,
    "aiMistral": 1,
    "edge": 1,
    "agent": 2,
    "embed": 1,
}
_TENANTS = ("acme", "globex", "initech")
_PROMPT = "When is electricity cleanest in Paris? " * 120  # long enough for OpenAI to cache it


@pytest.fixture(scope="module")
def app() -> Path:
    folder = installed("examples/nextjs")
    run(["npm", "run", "build"], folder, _KEYS | _QUIET)
    return folder


def test_every_call_of_every_sdk_is_counted_once(app: Path, tmp_path: Path) -> None:
    truth: list[Line] = []
    with _everything(app, tmp_path) as (provider, url, gateway):
        with browsing("chat.mjs", url) as ask:
            for number, (way, calls) in enumerate(2 * list(_WAYS.items())):
                tenant = _TENANTS[number % len(_TENANTS)]
                assert ask({"tenant": tenant, "way": way, "prompt": _PROMPT}) != ""
                new = provider.served[len(truth) :]
                assert len(new) == calls, way
                truth += [expected(tenant, served) for served in new]
        lines = ledger_lines(tmp_path / "data", len(truth))
        assert gateway.stop() == 0

    assert sorted(map(counted, lines)) == sorted(truth)
    assert {line["service"] for line in lines} == {"carbon-chat"}
    coverage = _report(tmp_path)["coverage"]
    assert (coverage["counted"], coverage["no_usage"], coverage["failed"]) == (len(truth), 0, 0)


def test_tenants_of_requests_at_the_same_time_are_kept_apart(app: Path, tmp_path: Path) -> None:
    asked = [
        (f"tenant-{number % 5}", path) for number, path in enumerate(6 * ["/api/openai", "/api/edge", "/api/chat"])
    ]
    with _everything(app, tmp_path) as (provider, url, gateway):
        with ThreadPoolExecutor(len(asked)) as pool:
            list(pool.map(lambda pair: _post(url + pair[1], pair[0]), asked))
        lines = ledger_lines(tmp_path / "data", len(asked))
        assert gateway.stop() == 0

    assert Counter(line["tenant"] for line in lines) == Counter(tenant for tenant, _ in asked)
    assert not [headers for headers in provider.headers if "tenant" in json.dumps(headers)], "a provider was told"


def test_a_call_that_was_tried_again_is_counted_once(app: Path, tmp_path: Path) -> None:
    with _everything(app, tmp_path) as (provider, url, gateway):
        provider.refuse_next = 1
        _post(url + "/api/openai", "acme")
        lines = ledger_lines(tmp_path / "data", 1)
        assert gateway.stop() == 0

    assert [counted(line) for line in lines] == [expected("acme", provider.served[0])]
    assert _report(tmp_path)["coverage"]["failed"] == 1


# ---- the parts ------------------------------------------------------------------------------------------------------


@contextmanager
def _everything(app: Path, folder: Path) -> Iterator[tuple[GenaiProvider, str, GatewayProcess]]:
    """Run the provider, the gateway and the app, wired as the README of the example says."""
    with running_provider() as provider, GatewayProcess(folder / "data") as gateway:
        environ = {
            **_KEYS,
            **_QUIET,
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "ANTHROPIC_BASE_URL": provider.url,
            "MISTRAL_BASE_URL": f"{provider.url}/mistral/v1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": gateway.ready["http"],
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        command = ["node", "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", "0"]
        with serving(command, app, environ) as url:
            yield provider, url, gateway


def _post(url: str, tenant: str) -> str:
    body = json.dumps({"tenant": tenant, "prompt": "How clean?", "provider": "anthropic"}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=30) as answer:
        return answer.read().decode()


def _report(folder: Path) -> dict[str, Any]:
    return json.loads(run_cli("report", "--data-dir", str(folder / "data"), "--format", "json").stdout)
