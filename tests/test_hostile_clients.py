"""Clients that mean harm, against `otel-carbon serve` as a process: bounded memory, and service for the others."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import resource
import socket
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
import zstandard
from gateway_process import GatewayProcess
from otlp_requests import delimited
from spans import traces
from tcp import http_client

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-protobuf\r\n"
_LIMIT_MIB = 4
_BOUND_MIB = 48
"""What one hostile request may cost: some times the limit, far below what it would unfold to."""
_IDLE_CONNECTIONS = 500
_CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 127.0.0.1:0, max_recv_msg_size_mib: {limit}}}
      http:
        endpoint: 127.0.0.1:0
        max_request_body_size: {limit}MiB
        read_header_timeout: 2s
        read_timeout: 2s
exporters:
  ledger: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [ledger]}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("hostile")
    with GatewayProcess(folder / "data", "--config", str(_config(folder))) as process:
        yield process


def _config(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(_CONFIG.format(limit=_LIMIT_MIB), encoding="utf-8")
    return path


@contextmanager
def bounded(gateway: GatewayProcess) -> Iterator[None]:
    """Check that the gateway takes little more memory meanwhile, and serves afterwards."""
    before_mib = _rss_mib(gateway)
    yield
    assert _peak_mib(gateway) - before_mib < _BOUND_MIB
    assert asyncio.run(_is_served(gateway)) == (200, grpc.StatusCode.OK)


def _memory_mib(gateway: GatewayProcess, key: str) -> float:
    for line in Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise AssertionError(key)


def _rss_mib(gateway: GatewayProcess) -> float:
    Path(f"/proc/{gateway.process.pid}/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    return _memory_mib(gateway, "VmRSS")


def _peak_mib(gateway: GatewayProcess) -> float:
    return _memory_mib(gateway, "VmHWM")


async def _is_served(gateway: GatewayProcess) -> tuple[int, grpc.StatusCode]:
    body = traces(1, 1)
    return (await post(gateway, body))[0], await call(gateway, body)


async def post(
    gateway: GatewayProcess, body: bytes, content_type: str = _PROTOBUF, encoding: str = "identity"
) -> tuple[int, bytes]:
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    async with (
        http_client() as session,
        session.post(f"{gateway.ready['http']}/v1/traces", data=io.BytesIO(body), headers=headers) as response,
    ):
        return response.status, await response.read()


async def call(
    gateway: GatewayProcess,
    body: bytes,
    metadata: tuple[tuple[str, str], ...] = (),
    compression: grpc.Compression | None = None,
) -> grpc.StatusCode:
    options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
    async with grpc.aio.insecure_channel(gateway.ready["grpc"], options=options) as channel:
        started = channel.unary_unary(_EXPORT)(body, timeout=60, metadata=metadata, compression=compression)
        return await started.code()


def _address(gateway: GatewayProcess) -> tuple[str, int]:
    host, _, port = gateway.ready["http"].removeprefix("http://").rpartition(":")
    return host, int(port)


# ---- decompression --------------------------------------------------------------------------------------------------


def _zeros(mib: int, compressor: Callable[[], object]) -> bytes:
    """Return so many MiB of zeros, compressed piece by piece."""
    stream = compressor()
    pieces = [stream.compress(bytes(1 << 20)) for _ in range(mib)]  # type: ignore[attr-defined]
    return b"".join([*pieces, stream.flush()])  # type: ignore[attr-defined]


_GZIP_BOMB = _zeros(1024, lambda: zlib.compressobj(9, zlib.DEFLATED, 31))
_ZSTD = zstandard.ZstdCompressor()


@pytest.mark.parametrize(
    ("encoding", "bomb", "status"),
    [
        ("gzip", _GZIP_BOMB, 413),
        ("deflate", _zeros(1024, lambda: zlib.compressobj(9)), 413),
        ("zstd", _zeros(1024, _ZSTD.compressobj), 413),
        ("gzip", gzip.compress(_GZIP_BOMB), 400),  # it is undone once, and what comes out is no message
        ("gzip", gzip.compress(bytes(64 << 10)) * 200, 413),
        ("gzip", gzip.compress(b"") * 100_000, 400),
        ("zstd", _ZSTD.compress(bytes(64 << 10)) * 200, 413),
        ("zstd", _ZSTD.compress(b"") * 200_000, 400),
    ],
    ids=["gzip", "deflate", "zstd", "in each other", "members", "empty members", "frames", "empty frames"],
)
def test_bombs_over_http_are_refused_while_they_unfold(
    gateway: GatewayProcess, encoding: str, bomb: bytes, status: int
) -> None:
    with bounded(gateway):
        assert asyncio.run(post(gateway, bomb, encoding=encoding))[0] == status


def test_a_gzip_bomb_over_grpc_is_refused_while_it_unfolds(gateway: GatewayProcess) -> None:
    bomb = bytes(256 << 20)
    with bounded(gateway):
        assert asyncio.run(call(gateway, bomb, compression=grpc.Compression.Gzip)) is (
            grpc.StatusCode.RESOURCE_EXHAUSTED
        )


# ---- slow and silent ------------------------------------------------------------------------------------------------


def test_slow_headers_and_bodies_do_not_keep_others_waiting(gateway: GatewayProcess) -> None:
    beginnings = (_HEAD + b"X-Slow: ", _HEAD + b"Content-Length: 100\r\n\r\n")
    with bounded(gateway), ExitStack() as stack:
        slow = [stack.enter_context(_opened(gateway, beginnings[number % 2])) for number in range(200)]
        assert asyncio.run(_is_served(gateway)) == (200, grpc.StatusCode.OK)

        answers = [_trickle_until_answered(each) for each in slow[:2]]

    assert answers[0] == b""
    assert answers[1].startswith(b"HTTP/1.1 408 ")


@contextmanager
def _opened(gateway: GatewayProcess, beginning: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(_address(gateway), timeout=30) as connection:
        connection.sendall(beginning)
        yield connection


def _trickle_until_answered(connection: socket.socket) -> bytes:
    """Send byte by byte, and return the answer, or nothing when the connection is closed."""
    connection.settimeout(0.1)
    for _ in range(300):
        try:
            connection.sendall(b"x")
            return connection.recv(4096)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
    raise AssertionError("nobody ended this")


def test_idle_connections_are_served_beside(gateway: GatewayProcess) -> None:
    with ExitStack() as stack:
        for _ in range(_IDLE_CONNECTIONS):
            stack.enter_context(_opened(gateway))
        assert asyncio.run(_is_served(gateway)) == (200, grpc.StatusCode.OK)


def test_more_connections_than_files_are_survived(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "data", "--config", str(_config(tmp_path))) as gateway:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (128, 128))
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(_opened(gateway))
            time.sleep(0.5)
        assert asyncio.run(_is_served(gateway)) == (200, grpc.StatusCode.OK)
        assert gateway.stop() == 0


# ---- floods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flood",
    [b"X-Flood: 1\r\n" * 100_000, b"X-Flood: " + b"x" * (8 << 20) + b"\r\n", b"X-Flood: " + b" x" * (4 << 20)],
    ids=["many", "one long", "one without an end"],
)
def test_floods_of_headers_are_refused(gateway: GatewayProcess, flood: bytes) -> None:
    with bounded(gateway), _opened(gateway) as connection:
        answer = b""
        try:
            connection.sendall(_HEAD + flood + b"\r\n")
            answer = connection.recv(4096)
        except ConnectionError:
            pass  # it was cut off while it was still sending
        assert answer == b"" or answer.split(b" ", 2)[1] == b"400"

        metadata = tuple((f"flood-{number}", "x" * 1000) for number in range(100))
        assert asyncio.run(call(gateway, b"", metadata)) is grpc.StatusCode.RESOURCE_EXHAUSTED


def _nested(depth: int) -> bytes:
    """Return a request with one attribute that is a list in a list in a list."""
    value = b""
    for _ in range(depth):
        value = delimited(5, delimited(1, value))
    span = delimited(9, delimited(1, b"key") + delimited(2, value))
    return delimited(1, delimited(2, delimited(2, span)))


def _nested_json(depth: int) -> bytes:
    value = '{"arrayValue":{"values":[' * depth + "]}}" * depth
    attribute = f'{{"key":"key","value":{value}}}'
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{attribute}]}}]}}]}}]}}'.encode()


def test_values_nested_deep_are_refused(gateway: GatewayProcess) -> None:
    deep = _nested(20_000)
    with bounded(gateway):
        assert asyncio.run(post(gateway, deep))[0] == 400
        assert asyncio.run(call(gateway, deep)) is grpc.StatusCode.INVALID_ARGUMENT
        for depth in (60, 100_000):
            status, answer = asyncio.run(post(gateway, _nested_json(depth), _JSON))
            assert (status, "nested" in json.loads(answer)["message"]) == (400, True)
        assert asyncio.run(post(gateway, b"\x0b" * (1 << 20)))[0] == 400  # groups in groups


def test_an_endless_body_is_cut_off_at_the_limit(gateway: GatewayProcess) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(64 << 10)

    async def send() -> int:
        headers = {"Content-Type": _PROTOBUF}
        async with (
            http_client() as session,
            session.post(f"{gateway.ready['http']}/v1/traces", data=endless(), headers=headers) as response,
        ):
            return response.status

    with bounded(gateway):
        assert asyncio.run(send()) == 413
