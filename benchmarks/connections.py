"""What idle connections cost a gateway: memory of each, and the time of a request beside them.

    python benchmarks/connections.py --connections 10000

Needs Linux, and `ulimit -n` some hundred above the number of connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import grpc
import grpc.aio

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_GRPC_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_HTTP_BEGINNING = b"POST /v1/traces HTTP/1.1\r\n"
_REQUESTS = 200
_AT_ONCE = 100


async def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    print("| transport | connections | RSS before | RSS with them | of each | request alone p50 / p99 | beside them |")
    print("|---|---|---|---|---|---|---|")
    for transport, beginning in (("http", _HTTP_BEGINNING), ("grpc", _GRPC_PREFACE)):
        with _gateway() as (pid, ready):
            print(await _measured(transport, beginning, pid, ready, options.connections), flush=True)


async def _measured(transport: str, beginning: bytes, pid: int, ready: dict[str, str], number: int) -> str:
    await _times_ms(transport, ready[transport])  # whatever is loaded with the first request is not a connection's
    alone, before_mib = await _times_ms(transport, ready[transport]), _rss_mib(pid)
    host, _, port = ready[transport].removeprefix("http://").rpartition(":")
    opened: list[asyncio.StreamWriter] = []
    for _ in range(0, number, _AT_ONCE):
        for _, writer in await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(_AT_ONCE))):
            writer.write(beginning)
            opened.append(writer)
    beside, with_mib = await _times_ms(transport, ready[transport]), _rss_mib(pid)
    still_open = sum(not writer.transport.is_closing() for writer in opened)
    each_kib = (with_mib - before_mib) * 1024 / len(opened)
    for writer in opened:
        writer.transport.abort()
    return (
        f"| {transport} | {still_open:,} | {before_mib:.0f} MiB | {with_mib:.0f} MiB | {each_kib:.1f} KiB "
        f"| {_shown(alone)} | {_shown(beside)} |"
    )


async def _times_ms(transport: str, address: str) -> list[float]:
    """Return how long requests take that come one after the other, each over a connection of its own."""
    found: list[float] = []
    for _ in range(_REQUESTS):
        begun = time.perf_counter()
        await _send(transport, address)
        found.append((time.perf_counter() - begun) * 1000)
    return found


async def _send(transport: str, address: str) -> None:
    if transport == "grpc":
        own = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options=own) as channel:
            await channel.unary_unary(_EXPORT)(b"")
        return
    headers = {"Content-Type": "application/x-protobuf"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/traces", data=b"", headers=headers) as response,
    ):
        response.raise_for_status()


def _shown(times_ms: list[float]) -> str:
    return f"{statistics.median(times_ms):.1f} / {statistics.quantiles(times_ms, n=100)[98]:.1f} ms"


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def _gateway() -> Iterator[tuple[int, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        listen = [part for name in ("grpc", "http", "web") for part in (f"--{name}", "127.0.0.1:0")]
        process = subprocess.Popen(
            [sys.executable, "-m", "otel_carbon", "serve", "--data-dir", folder, *listen],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


asyncio.run(main())
