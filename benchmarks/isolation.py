"""What a dead and a slow destination cost a live one: how fast it gets its data alone, and beside the two.

Rounds alone and together take turns, so that both see the same machine. Read the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import tempfile
import time
from pathlib import Path

import grpc.aio
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config
from otel_carbon.gateway.service import Gateway

_SPANS = 100
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_CONFIG = """\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}}}}}}}
exporters:
  otlp_http/live: {{endpoint: "{live}", compression: none}}
  otlp_http/slow: {{endpoint: "{slow}", compression: none}}
  otlp_http/dead: {{endpoint: "{dead}", retry_on_failure: {{initial_interval: 100ms, max_interval: 1s}}}}
service:
  web: {{endpoint: null}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [{exporters}]}}
"""


class _Destination:
    """Counts the spans that it is sent, and answers after `answer_s`."""

    def __init__(self, answer_s: float) -> None:
        self.spans = 0
        self.url = ""
        self._answer_s = answer_s

    async def start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = ExportTraceServiceRequest.FromString(await request.read())
        await asyncio.sleep(self._answer_s)
        self.spans += sum(len(scope.spans) for one in body.resource_spans for scope in one.scope_spans)
        return web.Response()


async def _round(requests: int, exporters: str) -> float:
    """Return how many spans a second the live destination gets."""
    live, slow = _Destination(0.0), _Destination(1.0)
    await live.start()
    await slow.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    text = _CONFIG.format(live=live.url, slow=slow.url, dead=dead, exporters=exporters)
    with tempfile.TemporaryDirectory() as folder:
        config = parse_config(text, {}, Catalogue.bundled(), source="benchmark")
        gateway = Gateway(config, Path(folder), source="benchmark")
        await gateway.start()
        began_s = time.perf_counter()
        await _send(gateway.endpoints["grpc"], requests)
        while live.spans < requests * _SPANS:  # noqa: ASYNC110  often enough for what is measured
            await asyncio.sleep(0.002)
        took_s = time.perf_counter() - began_s
        await gateway.stop(0.0)
    await live.stop()
    await slow.stop()
    return requests * _SPANS / took_s


async def _send(address: str, requests: int) -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(_SPANS):
        span = scope.spans.add(name=f"GET /{number}", span_id=bytes(7) + b"\x01", trace_id=bytes(15) + b"\x01")
        span.attributes.add(key="http.route").value.string_value = "/" * 100
    body = request.SerializeToString()
    async with grpc.aio.insecure_channel(address) as channel:
        export = channel.unary_unary(_EXPORT, None, None)
        for _ in range(requests // 16):
            await asyncio.gather(*(export(body) for _ in range(16)))


async def _run(rounds: int, requests: int) -> None:
    requests -= requests % 16
    alone: list[float] = []
    together: list[float] = []
    for _ in range(rounds):
        alone.append(await _round(requests, "otlp_http/live"))
        together.append(await _round(requests, "otlp_http/live, otlp_http/slow, otlp_http/dead"))
    print(f"alone     {statistics.median(alone):10,.0f} spans/s  ({min(alone):,.0f} to {max(alone):,.0f})")
    print(f"together  {statistics.median(together):10,.0f} spans/s  ({min(together):,.0f} to {max(together):,.0f})")
    print(f"ratio     {statistics.median(b / a for a, b in zip(alone, together, strict=True)):10.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1600)
    arguments = parser.parse_args()
    asyncio.run(_run(arguments.rounds, arguments.requests))
