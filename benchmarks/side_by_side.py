"""The gateway beside the real Collector: the same recorded spans, the same load, loss counted at the sink.

    python benchmarks/side_by_side.py [--seconds 4] [--shares 1 0.1 0] [--sizes 1 100 512 8192] [--arms NAME …]

Builds the Collector of `scripts/otelcol-builder.yaml` where it is not built yet (needs Go). Per arm, share of GenAI
spans and size of a request: a closed loop tells what can be had; an open loop at 100, 80, 60 … % of it, until nothing
is refused, nothing is lost and everything is delivered a second after the last was sent; and an open loop at half of
that, for latency. CPU is that of the measured process alone, and ends when everything is delivered.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from load import Load, Offered, counted, offer

from otel_carbon.collector.document import collector_config
from otel_carbon.factors import FactorTables, GridFamily

_ROOT = Path(__file__).parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_COLUMNS = (
    "GenAI",
    "spans a request",
    "arm",
    "spans/s sustained",
    "CPU-s per million",
    "at half load",
    "RSS MB",
    "p50 ms at half load",
    "p99 ms",
    "lost",
    "load average",
)
_STEPS = (1.0, 0.8, 0.6, 0.4, 0.25, 0.15)
_LATE_S = 1.0
_GIVE_UP_S = 60.0

_COLLECTOR = """\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{address}", max_recv_msg_size_mib: 64}}}}}}}}
extensions: {{file_storage: {{directory: "{folder}/queue", create_directory: true, fsync: true}}}}
exporters:
  otlp_grpc/sink: {{endpoint: "{sink}", tls: {{insecure: true}}, compression: none, sending_queue: {{{queue}}}}}
  file: {{path: /dev/null}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [{processors}], exporters: [otlp_grpc/sink{also}]}}
"""
_COLLECTOR_METRICS = "    metrics: {receivers: [signal_to_metrics/otel_carbon], exporters: [file]}\n"
_GATEWAY = """\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{address}"}}}}}}}}
processors: {{carbon: }}
exporters:
  otlp_grpc: {{endpoint: "http://{sink}", compression: none}}
  debug: {{}}
  ledger: {{}}
connectors: {{carbon_metrics: }}
service:
  web: {{endpoint: "127.0.0.1:0"}}
  journal: {{fsync: {fsync}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [{processors}], exporters: [otlp_grpc{also}]}}
"""
_GATEWAY_METRICS = "    metrics: {receivers: [carbon_metrics], exporters: [prometheus]}\n"


@dataclass(frozen=True)
class Arm:
    """One way to run one of the two. `durable` is a queue on disk that a power cut does not empty."""

    name: str
    is_gateway: bool
    enriches: bool = False
    durable: bool = False
    workers: int = 1


ARMS = (
    Arm("Collector", False),
    Arm("gateway", True),
    Arm("Collector, enriching", False, enriches=True),
    Arm("gateway, enriching", True, enriches=True),
    Arm("Collector, enriching, file_storage", False, enriches=True, durable=True),
    Arm("gateway, enriching, journal, ledger", True, enriches=True, durable=True),
    Arm("gateway, two workers", True, enriches=True, durable=True, workers=2),
)


class Running:
    """A process that takes spans and gives them to the sink."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, web: str | None, sink: str) -> None:
        self.address = address
        self._process = process
        self._web = web
        self._sink = sink

    def delivered(self) -> int:
        """Return how many spans the sink has."""
        return counted(self._sink)[0]

    def wait_for(self, spans: int) -> float:
        """Return how many seconds it takes until the sink has so many, and the ledger what it has to get."""
        began_s = last_s = time.monotonic()
        before = -1
        while time.monotonic() < last_s + _GIVE_UP_S:
            now = self.delivered()
            if now >= spans and not self._waiting():
                break
            if now != before:
                before, last_s = now, time.monotonic()
            time.sleep(0.05)
        return time.monotonic() - began_s

    def cpu_s(self) -> float:
        """Return the CPU time of the process and of those that it started."""
        return sum(_cpu_s(pid) for pid in _family(self._process.pid))

    def most_memory_mb(self) -> float:
        """Return the largest resident size that it ever had, in MB."""
        return sum(_peak_mb(pid) for pid in _family(self._process.pid))

    def _waiting(self) -> int:
        if self._web is None:
            return 0
        with urllib.request.urlopen(f"{self._web}/debug/pipelines", timeout=30) as answer:
            cursors = json.loads(answer.read())["cursors"].values()
        return sum(cursor["waiting"]["payloads"] for cursor in cursors if cursor["signal"] == "traces")


@dataclass(frozen=True)
class Measured:
    """One open loop."""

    offered: Offered
    lost: int
    late_s: float
    cpu_s: float

    @property
    def is_sustained(self) -> bool:
        """Return whether nothing was refused, lost or late."""
        return not self.offered.refused and not self.lost and self.late_s <= _LATE_S

    @property
    def cpu_s_per_million(self) -> float:
        """Return the CPU time per million spans."""
        return self.cpu_s / max(self.offered.acknowledged, 1) * 1e6


def measure(running: Running, load: Load) -> Measured:
    """Offer a load, and wait until it is delivered."""
    had, cpu_s = running.delivered(), running.cpu_s()
    offered = offer(load)
    late_s = running.wait_for(had + offered.acknowledged)
    return Measured(offered, had + offered.acknowledged - running.delivered(), late_s, running.cpu_s() - cpu_s)


def cell(running: Running, usual: Load) -> str:
    """Return what a row has to say of one share and size."""
    measure(running, replace(usual, seconds=1.5))  # tables and caches are warm
    most = measure(running, usual)
    possible = most.offered.acknowledged / (most.offered.seconds + most.late_s)
    for step in _STEPS:
        found = measure(running, replace(usual, per_second=step * possible))
        if found.is_sustained:
            break
    rate = found.offered.sent / found.offered.seconds
    half = measure(running, replace(usual, per_second=rate / 2))
    return (
        f"{rate:,.0f}{'' if found.is_sustained else ' (not sustained)'} | {found.cpu_s_per_million:.1f} | "
        f"{half.cpu_s_per_million:.1f} | {running.most_memory_mb():.0f} | {half.offered.p50_ms:.1f} | "
        f"{half.offered.p99_ms:.1f} | {found.lost + half.lost} |"
    )


@contextmanager
def started(arm: Arm, otelcol: str, sink: str) -> Iterator[Running]:
    """Run an arm with a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{_free_port()}"
        files = (_gateway if arm.is_gateway else _collector)(arm, address, sink, folder)
        if arm.is_gateway:
            command = [sys.executable, "-m", "otel_carbon", "serve", "--data-dir", f"{folder}/data"]
            command += ["--workers", str(arm.workers)]
        else:
            command = [otelcol]
        command += [word for file in files for word in ("--config", file)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL
        ) as process:
            try:
                web = json.loads((process.stdout or sys.stdin).readline())["web"] if arm.is_gateway else None
                _wait_for_port(address, process)
                yield Running(process, address, web, sink)
            finally:
                process.send_signal(signal.SIGKILL)


def _collector(arm: Arm, address: str, sink: str, folder: str) -> list[str]:
    text = _COLLECTOR.format(
        address=address,
        folder=folder,
        sink=sink,
        queue="storage: file_storage" if arm.durable else "enabled: true",
        processors="transform/otel_carbon" if arm.enriches else "",
        also=", signal_to_metrics/otel_carbon" if arm.enriches else "",
    )
    if not arm.enriches:
        return [_written(folder, "collector.yaml", text)]
    generated = collector_config(
        FactorTables.bundled(), factor_set="otel-carbon-2026.11", grid=GridFamily.ELECTRICITY_MAPS
    )
    os.environ |= {"COLLECTOR_GRPC": address, "COLLECTOR_HTTP": "127.0.0.1:0"}
    return [
        _written(folder, "generated.yaml", generated),
        _written(folder, "collector.yaml", text + _COLLECTOR_METRICS),
    ]


def _gateway(arm: Arm, address: str, sink: str, folder: str) -> list[str]:
    text = _GATEWAY.format(
        address=address,
        sink=sink,
        fsync="true" if arm.durable else "false",
        processors="carbon" if arm.enriches else "",
        also=", ledger, carbon_metrics" if arm.durable else ", carbon_metrics" if arm.enriches else "",
    )
    if arm.enriches:
        text = text.replace("  debug: {}", '  prometheus: {endpoint: "127.0.0.1:0"}') + _GATEWAY_METRICS
    return [_written(folder, "gateway.yaml", text)]


def _written(folder: str, name: str, text: str) -> str:
    path = Path(folder, name)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _family(pid: int) -> list[int]:
    """Return a process and the processes that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        if process.poll() is not None:
            sys.exit("it ended before it listened; VERBOSE=1 shows why")
        time.sleep(0.1)
    sys.exit("it did not listen")


def main() -> None:
    """Print a row per arm, share and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.1, 0.0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 512, 8192])
    parser.add_argument("--connections", type=int, default=1, help="workers need several")
    parser.add_argument("--arms", nargs="+", default=[arm.name for arm in ARMS])
    options = parser.parse_args()
    built = subprocess.run([_ROOT / "scripts" / "build-otelcol"], capture_output=True, text=True, check=True)
    otelcol = built.stdout.splitlines()[-1]
    load_average = f"{os.getloadavg()[0]:.1f} at the start"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load_average}")
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    sink = subprocess.Popen([sys.executable, str(Path(__file__).with_name("load.py")), "sink"], stdout=subprocess.PIPE)
    try:
        address = json.loads((sink.stdout or sys.stdin).readline())["grpc"]
        for size in options.sizes:
            for share in options.shares:
                for arm in (arm for arm in ARMS if arm.name in options.arms):
                    with started(arm, otelcol, address) as running:
                        usual = Load(running.address, share, size, options.seconds, connections=options.connections)
                        row = cell(running, usual)
                    print(f"| {share:.0%} | {size} | {arm.name} | {row} {os.getloadavg()[0]:.1f} |", flush=True)
    finally:
        sink.kill()


if __name__ == "__main__":
    main()
