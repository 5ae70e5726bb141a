"""The real gateway as a child process, as `otel-carbon serve --config` starts it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from otel_carbon.errors import CarbonError

__all__ = ["Gateway", "config_text", "start_gateway"]

_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway and where it listens."""

    process: asyncio.subprocess.Process
    grpc: str
    http: str
    web: str | None
    prometheus: str

    async def stop(self) -> None:
        """Ask it to drain and end."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), _STOP_WITHIN_S)


def config_text(backend_url: str, prometheus: str) -> str:
    """Return the gateway's config: the default, and a second OTLP endpoint to forward to."""
    return f"""\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 127.0.0.1:0}}
      http: {{endpoint: 127.0.0.1:0}}
processors:
  carbon: {{}}
exporters:
  otlp_http/backend: {{endpoint: "{backend_url}"}}
  ledger: {{}}
  prometheus: {{endpoint: "{prometheus}"}}
connectors:
  carbon_metrics: {{interval: 500ms}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [carbon], exporters: [otlp_http/backend, ledger, carbon_metrics]}}
    metrics: {{receivers: [otlp, carbon_metrics], exporters: [otlp_http/backend, prometheus]}}
    logs: {{receivers: [otlp], exporters: [otlp_http/backend]}}
"""


async def start_gateway(data_dir: Path, backend_url: str) -> Gateway:
    """Start the gateway and wait until every port is bound.

    Raises:
        CarbonError: it ended before it was ready; its own message is on stderr.
    """
    prometheus = f"127.0.0.1:{_free_port()}"
    config = data_dir / "demo.yaml"
    config.write_text(config_text(backend_url, prometheus), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "otel_carbon", "serve", "--config", str(config)),
        *("--data-dir", str(data_dir), "--web", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=(data_dir / "gateway.log").open("wb"),
        start_new_session=True,  # Ctrl-C reaches the demo alone, which then drains the gateway
    )
    ready = await _ready_line(process, data_dir / "gateway.log")
    return Gateway(process, ready["grpc"] or "", ready["http"] or "", ready["web"], f"http://{prometheus}/metrics")


async def _ready_line(process: asyncio.subprocess.Process, log: Path) -> dict[str, str | None]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), _READY_WITHIN_S)
    if not line:
        said = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
        raise CarbonError(f"the gateway did not start:\n{said}")
    ready: dict[str, str | None] = json.loads(line)
    return ready


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
