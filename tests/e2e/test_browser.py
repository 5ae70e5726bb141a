"""Pages in a real browser that send OTLP to a real gateway, allowed and not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gateway_process import GatewayProcess, run_cli
from node_project import browsing, installed, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_CONFIG = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:0{cors}}}}}}}
processors:
  carbon: {{}}
exporters:
  ledger: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [ledger]}}
"""


def test_a_page_that_is_listed_can_send_with_the_web_sdk(site: str, tmp_path: Path) -> None:
    with _gateway(tmp_path, f"allowed_origins: ['{site}'], allowed_headers: [x-api-key]") as gateway:
        endpoint = gateway.ready["http"]
        with browsing("otlp-page.mjs", site) as page:
            assert _sdk(page, endpoint, "json")
            assert _sdk(page, endpoint, "protobuf", {"x-api-key": "k"})
            assert not _sdk(page, endpoint, "json", {"x-other": "k"}), "a header that is not listed"
        assert gateway.stop() == 0

    assert _ledger(tmp_path) == [("page-json", 1200, 345), ("page-protobuf", 1200, 345)]


def test_a_page_that_is_listed_can_read_why_it_was_refused(site: str, tmp_path: Path) -> None:
    with (
        _gateway(tmp_path, f"allowed_origins: ['{site}']") as gateway,
        browsing("otlp-page.mjs", site) as page,
    ):
        answer = page({"name": "withFetch", "args": [gateway.ready["http"], "no json"]})

    assert answer["status"] == 400
    assert "message" in json.loads(answer["text"])


@pytest.mark.parametrize("cors", ["", "allowed_origins: ['https://app.example.com']"], ids=["off", "another page"])
def test_a_page_that_is_not_listed_can_neither_send_nor_read(site: str, tmp_path: Path, cors: str) -> None:
    with _gateway(tmp_path, cors) as gateway:
        endpoint = gateway.ready["http"]
        with browsing("otlp-page.mjs", site) as page:
            assert not _sdk(page, endpoint, "json")
            assert not _sdk(page, endpoint, "protobuf")
            unasked = {"mode": "no-cors", "headers": {"content-type": "text/plain"}}
            page({"name": "withFetch", "args": [endpoint, "{}", unasked]})  # goes out without a preflight
            assert page({"name": "withFetch", "args": [endpoint, "{}"]}) == {"error": "TypeError"}
        assert gateway.stop() == 0

    assert _ledger(tmp_path) == []


# ---- the parts ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve the page on an origin of its own, and return that."""
    folder = installed("tests/e2e/browser")
    run(["npm", "run", "build"], folder)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder / "site")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def _gateway(folder: Path, cors: str) -> Iterator[GatewayProcess]:
    config = folder / "gateway.yaml"
    config.write_text(_CONFIG.format(cors=f", cors: {{{cors}}}" if cors else ""), encoding="utf-8")
    with GatewayProcess(folder / "data", "--config", str(config), addresses=("web",)) as gateway:
        yield gateway


def _sdk(page: Any, endpoint: str, encoding: str, headers: dict[str, str] | None = None) -> bool:
    return page({"name": "withSdk", "args": [endpoint, encoding, headers or {}]})


def _ledger(folder: Path) -> list[tuple[str, int, int]]:
    exported = run_cli("ledger", "export", "--data-dir", str(folder / "data")).stdout
    lines = [json.loads(line) for line in exported.splitlines()]
    return sorted((line["service"], line["input_tokens"], line["output_tokens"]) for line in lines)
