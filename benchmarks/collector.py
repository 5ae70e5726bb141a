"""What the generated config costs a real Collector: CPU time per span, by how many models it is written for.

    scripts/build-otelcol && python benchmarks/collector.py --spans 20000

Every span is a GenAI call with a listed model and a cloud region, but for two arms: `unlisted` has models that no
factor set lists by name, and `no genai` has spans that are not GenAI. `pass` is the same Collector without the
processor.
"""

from __future__ import annotations

import argparse
import csv
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.collector.document import collector_config
from otel_carbon.factors import FactorTables, GridFamily

_ROOT = Path(__file__).parents[1]
_MODELS = _ROOT / "otel_carbon" / "factors" / "data" / "ecologits_models.csv"
_SINK = """\
exporters: {file: {path: /dev/null}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {processors: [%s], exporters: [file, signal_to_metrics/otel_carbon]}
    metrics: {exporters: [file]}
"""
_PER_REQUEST = 500


def main() -> None:
    """Print a row per arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=20_000)
    spans: int = parser.parse_args().spans
    built = subprocess.run([_ROOT / "scripts" / "build-otelcol"], capture_output=True, text=True, check=True)
    otelcol = built.stdout.splitlines()[-1]
    names = _names()
    print(f"load average {os.getloadavg()[0]:.1f}, {spans} spans")
    print("     arm  statements  KiB  CPU ms to start  spans/s  CPU us per span")
    _arm("pass", otelcol, None, _body(names[:20]), spans)
    for count in (20, 100, 500):
        _arm(str(count), otelcol, names[:count], _body(names[:count]), spans)
    _arm("all", otelcol, None, _body(names[:20]), spans)
    _arm("unlisted", otelcol, None, _body([f"gpt-4o-mini-{number}-preview" for number in range(20)]), spans)
    _arm("no genai", otelcol, None, _body(names[:20]).replace(b"gen_ai.", b"db_gen."), spans)


def _names() -> list[str]:
    """Return 500 names of models: those of a published list, and then made-up ones."""
    with _MODELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    key = "name" if "name" in rows[0] else next(column for column in rows[0] if "model" in column)
    listed = [row[key] for row in rows if row[key].isascii() and "/" not in row[key]]
    return [*dict.fromkeys(listed), *(f"model-{number}x-mini" for number in range(500))][:500]


def _body(models: list[str]) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(_PER_REQUEST):
        span = scope.spans.add(name="chat", kind=3, start_time_unix_nano=1, end_time_unix_nano=2)
        span.trace_id, span.span_id = (number + 1).to_bytes(16, "big"), (number + 1).to_bytes(8, "big")
        texts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": models[number % len(models)],
            "server.address": "bedrock-runtime.eu-west-3.amazonaws.com",
        }
        for key, value in texts.items():
            span.attributes.add(key=key).value.string_value = value
        for key, count in {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 345}.items():
            span.attributes.add(key=key).value.int_value = count + number
    return request.SerializeToString()


def _arm(name: str, otelcol: str, models: list[str] | None, body: bytes, spans: int) -> None:
    passing = name == "pass"
    config = collector_config(
        FactorTables.bundled(), factor_set="otel-carbon-2026.11", grid=GridFamily.ELECTRICITY_MAPS, models=models
    )
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        http = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        generated, sink = Path(folder, "generated.yaml"), Path(folder, "sink.yaml")
        generated.write_text(config, encoding="utf-8")
        sink.write_text(_SINK % ("batch" if passing else "transform/otel_carbon, batch"), encoding="utf-8")
        environ = {**os.environ, "COLLECTOR_HTTP": http, "COLLECTOR_GRPC": "127.0.0.1:0"}
        process = subprocess.Popen(
            [otelcol, "--config", generated, "--config", sink], env=environ, stderr=subprocess.DEVNULL
        )
        try:
            _wait(http, process)
            start_s = _cpu_s(process.pid)
            _send(http, body, 4)
            cpu_s, began_s = _cpu_s(process.pid), time.perf_counter()
            _send(http, body, spans // _PER_REQUEST)
            wall_s, used_s = time.perf_counter() - began_s, _cpu_s(process.pid) - cpu_s
        finally:
            process.terminate()
            process.wait(30)
    count = 0 if passing else config.count("\n          - ")
    took = f"{start_s * 1e3:>15.0f}  {spans / wall_s:>7.0f}  {used_s / spans * 1e6:>15.1f}"
    print(f"{name:>8}  {count:>10}  {len(config) // 1024:>3}  {took}", flush=True)


def _send(http: str, body: bytes, times: int) -> None:
    for _ in range(times):
        request = urllib.request.Request(
            f"http://{http}/v1/traces", data=body, headers={"Content-Type": "application/x-protobuf"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait(http: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = http.partition(":")
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("the Collector ended")
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    sys.exit("the Collector did not listen")


if __name__ == "__main__":
    main()
