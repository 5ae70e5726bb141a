"""Plays the demo: servers, two applications, the books, the report."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

from aiohttp import web

from otel_carbon.demo.backend import Backend
from otel_carbon.demo.books import Books, Check, compare, open_report, read_books, settle
from otel_carbon.demo.gateway import Gateway, start_gateway
from otel_carbon.demo.provider import Provider
from otel_carbon.demo.screen import Screen
from otel_carbon.errors import CarbonError

__all__ = ["play"]


async def play(*, data_dir: Path | None, once: bool) -> int:
    """Run the demo and return its exit code: 1 when the books do not agree.

    Raises:
        CarbonError: a part did not start, or an application failed.
    """
    screen = Screen()
    provider, backend = Provider(), Backend(screen.span)
    with _folder(data_dir) as folder:
        async with _served(provider.app()) as provider_url, _served(backend.app()) as backend_url:
            gateway = await start_gateway(folder, backend_url)
            try:
                screen.parts(provider_url, backend_url, gateway, folder)
                before = await read_books(folder, gateway.prometheus)
                await _run_applications(screen, provider_url, gateway)
                checks = await _check(provider, gateway, folder, before)
                screen.checks(checks)
                screen.report(open_report(folder), folder)
                interrupted = _interruption()  # before the screen says that Ctrl-C ends it
                screen.next_steps(gateway, data_dir, once=once)
                if not once:
                    await interrupted.wait()
            finally:
                await gateway.stop()
    return 0 if all(check.holds for check in checks) else 1


async def _run_applications(screen: Screen, provider_url: str, gateway: Gateway) -> None:
    screen.act("An application with one line, otel_carbon.install(), sends OTLP over gRPC")
    await _run_application("install", provider_url, gateway.grpc)
    screen.act("An application without otel-carbon sends OTLP over HTTP; the gateway enriches")
    await _run_application("gateway", provider_url, gateway.http)


async def _run_application(half: str, provider_url: str, endpoint: str) -> None:
    """Run one application to its end; it has then exported everything."""
    # -P: a file in the folder where somebody tries the demo must not be taken for a library.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "otel_carbon.demo.workload", half, provider_url, endpoint),
        stderr=asyncio.subprocess.PIPE,
    )
    _out, errors = await process.communicate()
    if process.returncode != 0:
        raise CarbonError(f"the application '{half}' failed:\n{errors.decode(errors='replace')}")


async def _check(provider: Provider, gateway: Gateway, folder: Path, before: Books) -> list[Check]:
    books = await settle(folder, gateway.prometheus, provider.served, before)
    return compare(books, provider.served, before)


def _interruption() -> asyncio.Event:
    """Return the event of Ctrl-C."""
    event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, event.set)
    return event


@contextlib.asynccontextmanager
async def _served(app: web.Application) -> AsyncGenerator[str]:
    """Serve the application on a free port of loopback and give its URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def _folder(data_dir: Path | None) -> Generator[Path]:
    """Give the data directory: the one that was asked for, or one that is removed at the end."""
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="otel-carbon-demo-") as name:
        yield Path(name)
