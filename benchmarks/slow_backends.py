"""What backends that are slow, silent or trickle cost a gateway over time: memory, threads, files, disk.

    python benchmarks/slow_backends.py --minutes 30

Needs Linux. The load is bounded: `--requests` a second, of 50 spans each. `late` answers 0.1 s before the exporter
gives up; `silent` takes everything in and never answers, over HTTP and gRPC; `trickle` answers 200 bytes a second.
`live` and `late` must get everything meanwhile. What waits for the others is limited, so that the journal stays small.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_SPANS = 50
_LATE_S, _TIMEOUT_S = 4.9, 5
_TRICKLE_BYTES_PER_S = 200
_TRICKLED_BYTES = 4000
_LIMITED = "timeout: 5s, sending_queue: {queue_size: 200}"
_CONFIG = f"""\
receivers: {{{{otlp: {{{{protocols: {{{{http: }}}}}}}}}}}}
exporters:
  otlp_http/live: {{{{endpoint: "http://{{live}}"}}}}
  otlp_http/late: {{{{endpoint: "http://{{late}}", timeout: {_TIMEOUT_S}s}}}}
  otlp_http/silent: {{{{endpoint: "http://{{silent}}", {_LIMITED.replace("{", "{{").replace("}", "}}")}}}}}
  otlp_grpc/silent: {{{{endpoint: "http://{{silent}}", {_LIMITED.replace("{", "{{").replace("}", "}}")}}}}}
  otlp_http/trickle: {{{{endpoint: "http://{{trickle}}", {_LIMITED.replace("{", "{{").replace("}", "}}")}}}}}
  ledger: {{{{}}}}
service:
  dead_letters: {{{{max_bytes: 8MiB}}}}
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp_http/live, otlp_http/late, otlp_http/silent, otlp_grpc/silent, otlp_http/trickle, ledger]
"""


class _Destination:
    """Remembers the spans that it was sent, and answers after `answer_s`."""

    def __init__(self, answer_s: float = 0.0, *, trickles: bool = False) -> None:
        self.spans: set[bytes] = set()
        self.twice = 0
        self.address = ""
        self._answer_s = answer_s
        self._trickles = trickles

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/traces", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{runner.addresses[0][1]}"
        self.stop = runner.cleanup

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = ExportTraceServiceRequest.FromString(await request.read())
        await asyncio.sleep(self._answer_s)
        if self._trickles:
            return await self._trickle(request)
        ids = [span.span_id for one in body.resource_spans for scope in one.scope_spans for span in scope.spans]
        self.twice += len(self.spans.intersection(ids))
        self.spans.update(ids)
        return web.Response()

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(_TRICKLED_BYTES)})
        await response.prepare(request)
        with suppress(ConnectionError):  # the exporter has given up
            for _ in range(_TRICKLED_BYTES // (_TRICKLE_BYTES_PER_S // 10)):
                await response.write(bytes(_TRICKLE_BYTES_PER_S // 10))
                await asyncio.sleep(0.1)
        return response


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(1 << 16):
            pass
    except OSError:
        pass
    finally:
        writer.close()


async def _run(minutes: float, requests_per_s: float, every_s: float) -> None:
    live, late, trickle = _Destination(), _Destination(_LATE_S), _Destination(trickles=True)
    async with AsyncExitStack() as stack:
        for each in (live, late, trickle):
            await each.start()
            stack.push_async_callback(each.stop)
        silent = await asyncio.start_server(_silence, "127.0.0.1", 0)
        addresses = {"live": live.address, "late": late.address, "trickle": trickle.address}
        addresses["silent"] = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        with _gateway(_CONFIG.format(**addresses)) as (pid, ready, folder):
            sending = asyncio.create_task(_send(ready["http"], minutes * 60, requests_per_s))
            print("| min | sent | RSS MiB | threads | files | data MB | journal MB | waiting: live, late, limited |")
            print("|---|---|---|---|---|---|---|---|")
            began_s = time.monotonic()
            while not sending.done():
                await asyncio.wait([sending], timeout=every_s)
                print(await asyncio.to_thread(_row, began_s, pid, ready, folder, len(live.spans)), flush=True)
            sent = sending.result()
            while len(late.spans) < sent * _SPANS or len(live.spans) < sent * _SPANS:  # noqa: ASYNC110
                await asyncio.sleep(1)
            print(await asyncio.to_thread(_row, began_s, pid, ready, folder, len(live.spans)), flush=True)
        print(
            f"sent {sent * _SPANS:,}; live {len(live.spans):,} ({live.twice} twice), "
            f"late {len(late.spans):,} ({late.twice} twice)"
        )


async def _send(url: str, for_s: float, requests_per_s: float) -> int:
    """Send at a fixed rate and return how many requests were taken."""
    headers, taken, due_s = {"Content-Type": "application/x-protobuf"}, 0, time.monotonic()
    end_s = due_s + for_s
    async with aiohttp.ClientSession(url, headers=headers) as session:
        while due_s < end_s:
            async with session.post("/v1/traces", data=_body(taken)) as answer:
                answer.raise_for_status()
            taken, due_s = taken + 1, due_s + 1 / requests_per_s
            await asyncio.sleep(max(due_s - time.monotonic(), 0.0))
    return taken


def _body(number: int) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for each in range(number * _SPANS + 1, (number + 1) * _SPANS + 1):
        span = scope.spans.add(name=f"GET /{each}", span_id=each.to_bytes(8, "big"), trace_id=each.to_bytes(16, "big"))
        span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
        span.attributes.add(key="http.route").value.string_value = f"/{each}" * 50
        if each % 10 == 0:
            for key, text in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o")):
                span.attributes.add(key=key).value.string_value = text
            span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = 100
    return request.SerializeToString()


def _row(began_s: float, pid: int, ready: dict[str, str], folder: Path, spans: int) -> str:
    at_min = (time.monotonic() - began_s) / 60
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    rss_mib, threads = (int(status.partition(key)[2].split()[0]) for key in ("VmRSS:", "Threads:"))
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    data_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    journal_mb = sum(path.stat().st_size for path in folder.glob("journal.db*")) / 1e6
    cursors = _described(ready["web"])["cursors"]
    waiting = {name.partition(":")[0]: cursor["waiting"]["payloads"] for name, cursor in cursors.items()}
    limited = ", ".join(f"{waiting[name]}" for name in ("otlp_http/silent", "otlp_grpc/silent", "otlp_http/trickle"))
    return (
        f"| {at_min:.0f} | {spans:,} | {rss_mib / 1024:.0f} | {threads} | {files} | {data_mb:.1f} "
        f"| {journal_mb:.1f} | {waiting['otlp_http/live']}; {waiting['otlp_http/late']}; {limited} |"
    )


def _described(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/debug/pipelines", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def _gateway(config: str) -> Iterator[tuple[int, dict[str, str], Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.yaml"
        path.write_text(config, encoding="utf-8")
        data_dir = Path(folder) / "data"
        options = ["--data-dir", str(data_dir), "--http", "127.0.0.1:0", "--web", "127.0.0.1:0", "--config", str(path)]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "otel_carbon", "serve", *options], stdout=subprocess.PIPE, stderr=log
            )
        assert process.stdout is not None
        try:
            yield process.pid, json.loads(process.stdout.readline()), data_dir
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()
            print((Path(folder) / "log").read_text(encoding="utf-8")[-3000:], file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--requests", type=float, default=5.0, help="a second")
    parser.add_argument("--every", type=float, default=120.0, help="seconds between two lines")
    arguments = parser.parse_args()
    asyncio.run(_run(arguments.minutes, arguments.requests, arguments.every))
