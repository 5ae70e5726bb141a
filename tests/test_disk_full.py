"""A disk without room: senders are told to come back, nothing acknowledged is lost, and it goes on when there is room.

On a small file system of its own where that may be mounted; everywhere, by a limit of the kernel on the size of a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import aiohttp
import grpc
import grpc.aio
import pytest
from gateway_config import config_to_sink
from gateway_process import GatewayProcess
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from span_load import SpanLoad
from span_sink import SpanSink, serving_sink, span_ids
from spans import traces

from otel_carbon.journal.dead_letters import DEAD_LETTERS_NAME, DeadLetters

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_DISK_BYTES = 40 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system that is full after 40 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder))
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Take all the room that is left, as another program does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        piece = bytes(1 << 16)
        while piece:
            try:
                file.write(piece)
            except OSError:
                piece = piece[: len(piece) // 2]
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _limited(gateway: GatewayProcess) -> Iterator[None]:
    """Let the kernel refuse the gateway every write beyond the beginning of a file."""
    before = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (16384, before[1]))
    try:
        yield
    finally:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, before)


async def _grpc_refusal(address: str) -> tuple[grpc.StatusCode, float]:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            await channel.unary_unary(_EXPORT, None, None)(traces(1 << 24, 1), timeout=10)
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
            wait = RetryInfo()
            Status.FromString(bytes(details)).details[0].Unpack(wait)  # type: ignore[arg-type]
            return error.code(), wait.retry_delay.ToTimedelta().total_seconds()
    raise AssertionError("it was taken")


async def _http_refusal(url: str) -> tuple[int, str | None]:
    headers = {"Content-Type": "application/x-protobuf"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=traces(1 << 24, 1), headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After")


def _ready(web: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{web}/readyz") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _waiting(web: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{web}/debug/pipelines") as answer:
        cursors = json.loads(answer.read())["cursors"]
    return {name: cursor["waiting"]["payloads"] for name, cursor in cursors.items()}


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for something that the gateway does by itself; the time limit of the test is the longest wait."""
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _calls(ledger: Path) -> list[str]:
    with closing(sqlite3.connect(ledger)) as db:
        return [span for (span,) in db.execute("SELECT span_id FROM lines")]


class _Scene:
    """A gateway, its sink, and clients that send again what was not taken."""

    def __init__(self, gateway: GatewayProcess, sink: SpanSink, ledger: Path) -> None:
        self.load = SpanLoad(spans_per_request=300, senders=1)
        self._small = SpanLoad(spans_per_request=1, senders=1, first=1 << 20)
        self.sink = sink
        self.gateway = gateway
        self.web: str = gateway.ready["web"]
        self._ledger = ledger

    async def send_until_refused(self) -> None:
        """Leave no room for even a small request."""
        await self.load.run(self.gateway.ready)
        await self._small.run(self.gateway.ready)

    async def send_some(self) -> None:
        """Send until 600 more are taken, and what is turned away again, as clients do."""
        wanted = len(self.load.acknowledged) + 600
        while len(self.load.acknowledged) < wanted:
            running = asyncio.create_task(self.load.run(self.gateway.ready))
            await _until(lambda running=running: len(self.load.acknowledged) >= wanted or running.done())
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.sleep(0.05)

    async def check_refusals(self, expected: str) -> None:
        assert await _grpc_refusal(self.gateway.ready["grpc"]) == (grpc.StatusCode.UNAVAILABLE, 5.0)
        assert await _http_refusal(f"{self.gateway.ready['http']}/v1/traces") == (503, "5")
        status, reason = await asyncio.to_thread(_ready, self.web)
        assert status == 503
        assert expected in reason

    async def check_that_nothing_is_lost(self, kept: Collection[str] = ()) -> None:
        """Check that all is where it should be; of what the sink did not take, `kept` lies with the dead letters."""
        assert await asyncio.to_thread(self.gateway.stop) == 0
        calls = _calls(self._ledger)
        for load in (self.load, self._small):
            assert load.acknowledged - set(self.sink.spans) - set(kept) == set()
            assert load.acknowledged_genai - set(calls) == set()
        assert len(calls) == len(set(calls))


@contextmanager
def _scene(data_dir: Path, ledger: Path, sink: SpanSink, config: Path) -> Iterator[_Scene]:
    config.write_text(config_to_sink(sink.address, ledger=ledger), "utf-8")
    with GatewayProcess(data_dir, "--config", str(config)) as gateway:
        yield _Scene(gateway, sink, ledger)


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    data_dir, config = small_disk / "data", tmp_path / "gateway.yaml"
    async with serving_sink(SpanSink(Random(1))) as sink:
        with _scene(data_dir, data_dir / "ledger.db", sink, config) as scene:
            await scene.send_some()
            with _filled(small_disk):
                await scene.send_until_refused()
                await scene.check_refusals("full")  # to write, or even to note what has been delivered
            await _until(lambda: _ready(scene.web)[0] == 200)
            await scene.send_some()
            await scene.check_that_nothing_is_lost()


async def test_a_limit_on_files_refuses_and_goes_on_without_it(tmp_path: Path) -> None:
    data_dir, config = tmp_path / "data", tmp_path / "gateway.yaml"
    async with serving_sink(SpanSink(Random(1))) as sink:
        with _scene(data_dir, data_dir / "ledger.db", sink, config) as scene:
            await scene.send_some()
            with _limited(scene.gateway):
                await scene.send_until_refused()
                await scene.check_refusals("the journal cannot be written: ")
            await _until(lambda: _ready(scene.web)[0] == 200)
            await scene.send_some()
            await scene.check_that_nothing_is_lost()


async def test_a_journal_that_filled_its_disk_itself_frees_it_by_delivering(tmp_path: Path, small_disk: Path) -> None:
    config, ledger = tmp_path / "gateway.yaml", tmp_path / "ledger.db"
    async with serving_sink(SpanSink(Random(1), unavailable=1.0)) as sink:
        with _scene(small_disk / "data", ledger, sink, config) as scene:
            await scene.send_until_refused()
            await scene.check_refusals("the disk of the journal is full (")
            sink.unavailable = 0.0
            await _until(lambda: _ready(scene.web)[0] == 200)
            await _until(lambda: _waiting(scene.web) == {"otlp_grpc/sink:traces": 0, "ledger:traces": 0})
            await scene.send_some()
            await scene.check_that_nothing_is_lost()


async def test_what_is_refused_waits_while_the_disk_has_no_room_for_dead_letters(
    tmp_path: Path, small_disk: Path
) -> None:
    data_dir, config = small_disk / "data", tmp_path / "gateway.yaml"
    async with serving_sink(_Refusing(Random(1), unavailable=1.0)) as sink:
        with _scene(data_dir, tmp_path / "ledger.db", sink, config) as scene:
            await scene.send_some()
            with _filled(small_disk):
                sink.refuses.set()
                await _until(lambda: "dead letters" in _last_error(scene.web))
                assert _waiting(scene.web)["otlp_grpc/sink:traces"] > 0
                assert _dead_letters(data_dir) == set()
            await _until(lambda: _waiting(scene.web)["otlp_grpc/sink:traces"] == 0)
            assert scene.load.acknowledged - set(sink.spans) <= _dead_letters(data_dir)
            sink.refuses.clear()
            sink.unavailable = 0.0
            await _until(lambda: _ready(scene.web)[0] == 200)
            await scene.send_some()
            kept = _dead_letters(data_dir)
            await scene.check_that_nothing_is_lost(kept)


class _Refusing(SpanSink):
    """Takes nothing for good while `refuses` is set."""

    def __init__(self, chance: Random, unavailable: float = 0.0) -> None:
        super().__init__(chance, unavailable)
        self.refuses = asyncio.Event()

    async def export(self, body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if self.refuses.is_set():
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "never")
        return await super().export(body, context)


def _last_error(web: str) -> str:
    with urllib.request.urlopen(f"{web}/debug/pipelines") as answer:
        return str(json.loads(answer.read())["cursors"]["otlp_grpc/sink:traces"]["last_error"])


def _dead_letters(data_dir: Path) -> set[str]:
    with closing(DeadLetters(data_dir / DEAD_LETTERS_NAME, 1 << 30)) as store:
        entries = [entry for letter in store.letters(limit=100_000) if (entry := store.entry(letter)) is not None]
    return {span for entry in entries for span in span_ids(entry.payload.body)}


async def test_a_full_disk_of_the_ledger_alone_makes_only_the_ledger_wait(tmp_path: Path, small_disk: Path) -> None:
    config = tmp_path / "gateway.yaml"
    async with serving_sink(SpanSink(Random(1))) as sink:
        with _scene(tmp_path / "data", small_disk / "ledger.db", sink, config) as scene:
            await scene.send_some()
            with _filled(small_disk):
                for _ in range(3):
                    await scene.send_some()
                await _until(lambda: _waiting(scene.web)["otlp_grpc/sink:traces"] == 0)
                await _until(lambda: _waiting(scene.web)["ledger:traces"] > 0)
                assert (await asyncio.to_thread(_ready, scene.web))[0] == 200
            await scene.check_that_nothing_is_lost()
