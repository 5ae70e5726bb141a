"""Runs one program of the matrix in its environment, and says when its cases began and ended."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plan import FOLDER, Run

__all__ = ["Finished", "Place", "run"]

_ENDS_WITHIN_S = 170
_INHERITED = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_FILE", "TMPDIR")

_DECLARATIVE = """
file_format: "1.1"
resource:
  attributes: [{{name: service.name, value: "{service}"}}]
tracer_provider:
  sampler: {{{sampler}: {{}}}}
  processors: [{{batch: {{exporter: {{otlp_http: {{endpoint: "{endpoint}/v1/traces"}}}}}}}}]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program finds the provider and the gateway, and leaves its files."""

    provider: str
    gateway: str
    gateway_grpc: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: its cases, and what it printed where it failed."""

    cases: list[dict[str, Any]]
    ledger: Path
    error: str


def run(one: Run, python: Path, place: Place) -> Finished:
    """Run a program to its end."""
    folder = place.folder / one.id
    folder.mkdir(parents=True)
    app, *arguments = one.set.app
    command = [str(python), str(FOLDER / "apps" / f"{app}.py"), *arguments]
    if one.set.launch != "python":
        command.insert(0, str(python.parent / "opentelemetry-instrument"))
    output = folder / "output.txt"
    ended = _ended(command, folder, _environ(one, python, place, folder), output)
    cases = folder / "cases.jsonl"
    entries = [json.loads(line) for line in cases.read_text(encoding="utf-8").splitlines()] if cases.exists() else []
    error = f"{ended}: {output.read_text(encoding='utf-8', errors='replace')[-600:]}" if ended else ""
    return Finished(entries, folder / "ledger.db", error)


def _ended(command: list[str], folder: Path, environ: dict[str, str], output: Path) -> str:
    """Run a command, and return how it failed; empty where it did not."""
    with output.open("wb") as file:
        try:
            done = subprocess.run(
                command, cwd=folder, env=environ, stdout=file, stderr=file, check=False, timeout=_ENDS_WITHIN_S
            )
        except subprocess.TimeoutExpired:
            return f"not done after {_ENDS_WITHIN_S} s"
    return f"exit {done.returncode}" if done.returncode else ""


def _environ(one: Run, python: Path, place: Place, folder: Path) -> dict[str, str]:
    base = f"{place.provider}/r/{one.id}"
    places = {"provider": base, "gateway": place.gateway, "grpc_port": place.gateway_grpc.rpartition(":")[2]}
    environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environ |= {
        "PATH": f"{python.parent}{os.pathsep}{environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "MATRIX_BASE_URL": base,
        "MATRIX_CASES": str(folder / "cases.jsonl"),
        "OPENAI_API_KEY": "sk-mock",
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_API_BASE": f"{base}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-mock",
        "ANTHROPIC_BASE_URL": base,
        "AWS_ACCESS_KEY_ID": "mock",
        "AWS_SECRET_ACCESS_KEY": "mock",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TRACELOOP_TELEMETRY": "false",
        "OTEL_SERVICE_NAME": one.id,
        "OTEL_EXPORTER_OTLP_ENDPOINT": place.gateway,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx,requests,urllib,urllib3,aiohttp-client,threading",
        "OTEL_CARBON_LEDGER": str(folder / "ledger.db"),
        **{name: value.format(**places) for name, value in one.set.environ.items()},
    }
    if one.mode == "gateway":
        environ["OTEL_CARBON_ENABLED"] = "false"
    elif one.mode == "unsampled":
        environ |= one.set.unsampled
    if one.set.launch == "declarative":
        sampler = "always_off" if one.mode == "unsampled" else "always_on"
        config = folder / "otel.yaml"
        config.write_text(_DECLARATIVE.format(service=one.id, sampler=sampler, endpoint=place.gateway))
        environ["OTEL_CONFIG_FILE"] = str(config)
    return environ
