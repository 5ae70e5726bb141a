"""Spans per second through a whole gateway process, and the CPU that they cost it.

    python benchmarks/gateway.py [--seconds 10] [--in-flight 8]

Starts `otel-carbon serve` with real gRPC clients in another process and sends requests of 512 spans, about 18
attributes each, every span id and response id new. Acknowledged means on disk; the clock stops, and CPU is read, when
everything that was acknowledged has also arrived in the ledger. A bare grpc.aio server that parses and keeps nothing
is measured in the same run, so that machines can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from enrich import SPANS, request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_TEMPLATES = 16
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LEDGER = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
processors: {carbon: }
exporters: {ledger: , prometheus: {endpoint: "127.0.0.1:0"}}
connectors: {carbon_metrics: }
service:
  web: {endpoint: "127.0.0.1:0"}
  pipelines:
    traces: {receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}
    metrics: {receivers: [carbon_metrics], exporters: [prometheus]}
"""
_FORWARD = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
exporters: {otlp_grpc: {endpoint: "http://SINK", compression: none}}
service:
  web: {endpoint: "127.0.0.1:0"}
  pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc]}}
"""


@dataclass(frozen=True)
class Run:
    """What one arm came to."""

    name: str
    spans: int
    wall_s: float
    drained_s: float
    cpu_s: float

    def row(self) -> str:
        """Return a row of the table."""
        per_core = self.spans / self.cpu_s if self.cpu_s else 0.0
        return (
            f"| {self.name} | {self.spans / self.wall_s:,.0f} | {self.spans / self.drained_s:,.0f} | "
            f"{self.cpu_s / self.spans * 1e6:.2f} | {per_core:,.0f} |"
        )


class Template:
    """A request whose ids can be made new without building it again."""

    def __init__(self, body: bytes) -> None:
        self._body = bytearray(body)
        spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
        self._ids = [self._body.find(span.trace_id) for span in spans]
        values = [
            each.value.string_value for span in spans for each in span.attributes if each.key.endswith("response.id")
        ]
        self._responses = [self._body.find(value.encode()) + len("chatcmpl-") for value in values]

    def fresh(self, number: int) -> bytes:
        """Return the request with ids that no other number has."""
        raw, text = number.to_bytes(6, "big"), f"{number:08x}".encode()
        for at in self._ids:
            self._body[at : at + 6] = raw
        for at in self._responses:
            self._body[at : at + 8] = text
        return bytes(self._body)


async def _send(address: str, genai_share: float, seconds: float, in_flight: int) -> tuple[int, float, float]:
    templates = [Template(request(seed, genai_share)) for seed in range(_TEMPLATES)]
    channel = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", 64 << 20)])
    export = channel.unary_unary(f"/{_SERVICE}/Export", None, None)
    sent, number, began = 0, os.getpid() << 16, time.monotonic()

    async def sender() -> None:
        nonlocal sent, number
        while time.monotonic() < began + seconds:
            number += 1
            await export(templates[number % _TEMPLATES].fresh(number & 0xFFFFFFFF), timeout=60)
            sent += SPANS

    await asyncio.gather(*(sender() for _ in range(in_flight)))
    await channel.close()
    return sent, began, time.monotonic()


def client(address: str, genai_share: float, seconds: float, in_flight: int) -> tuple[int, float, float]:
    """Send for some seconds; return the acknowledged spans, and when the first was sent and the last was taken."""
    return asyncio.run(_send(address, genai_share, seconds, in_flight))


async def _sink() -> None:
    async def export(body: bytes, _context: object) -> bytes:
        ExportTraceServiceRequest.FromString(body)
        return b""

    options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    handler = grpc.unary_unary_rpc_method_handler(export, None, None)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"grpc": f"127.0.0.1:{port}", "web": None}), flush=True)
    await server.wait_for_termination()


@contextmanager
def _process(*command: str) -> Iterator[tuple[int, dict[str, str]]]:
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _waiting(web: str) -> int:
    with urllib.request.urlopen(f"{web}/debug/pipelines", timeout=30) as answer:
        cursors = json.loads(answer.read())["cursors"].values()
    return sum(cursor["waiting"]["payloads"] for cursor in cursors if cursor["signal"] == "traces")


def measure(name: str, pid: int, ready: dict[str, str], genai_share: float, args: argparse.Namespace) -> Run:
    """Send to a server that is ready, and wait until it has delivered everything."""
    _load(ready["grpc"], genai_share, 2.0, args.in_flight)  # connections, tables and caches are warm
    _wait_until_delivered(ready)
    before_s = _cpu_s(pid)
    spans, began_s, ended_s = _load(ready["grpc"], genai_share, args.seconds, args.in_flight)
    _wait_until_delivered(ready)
    return Run(name, spans, ended_s - began_s, time.monotonic() - began_s, _cpu_s(pid) - before_s)


def _wait_until_delivered(ready: dict[str, str]) -> None:
    while ready["web"] and _waiting(ready["web"]):
        time.sleep(0.1)


def _load(address: str, share: float, seconds: float, in_flight: int) -> tuple[int, float, float]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        return elsewhere.submit(client, address, share, seconds, in_flight).result()


def main() -> None:
    """Run every arm and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.sink:
        asyncio.run(_sink())
        return
    print(
        f"Python {platform.python_version()}, grpcio {grpc.__version__}, {os.cpu_count()} cores, {platform.machine()}"
    )
    print("| arm | spans/s acknowledged | spans/s delivered | CPU-s per million spans | spans/s per core |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        with _process(__file__, "--sink") as (pid, ready):
            print(measure("bare grpc.aio sink, protobuf decoded", pid, ready, 1.0, args).row(), flush=True)
            forward = _FORWARD.replace("SINK", ready["grpc"])
            print(_gateway(folder, "gateway, forwarding untouched", forward, 1.0, args).row(), flush=True)
        for share in (1.0, 0.1):
            name = f"gateway, carbon and ledger, {share:.0%} GenAI"
            print(_gateway(folder, name, _LEDGER, share, args).row(), flush=True)


def _gateway(folder: str, name: str, config: str, share: float, args: argparse.Namespace) -> Run:
    data_dir = Path(folder) / str(time.monotonic_ns())
    path = data_dir.with_suffix(".yaml")
    path.write_text(config, encoding="utf-8")
    with _process("-m", "otel_carbon", "serve", "--config", str(path), "--data-dir", str(data_dir)) as (pid, ready):
        return measure(name, pid, ready, share, args)


if __name__ == "__main__":
    main()
