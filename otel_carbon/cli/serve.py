"""`otel-carbon serve`: the gateway as a process."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_carbon.cli.options import directory

if TYPE_CHECKING:
    from otel_carbon.gateway.config import GatewayConfig
    from otel_carbon.gateway.service import Gateway
    from otel_carbon.gateway.workers.supervisor import Command, Supervisor
    from otel_carbon.web import WebServer

__all__ = ["EXAMPLE", "HELP", "add_arguments", "data_dir", "gateway_config", "run"]

HELP = "Receive OTLP, put carbon on it, keep the ledger, and pass everything on."
EXAMPLE = "example:\n  otel-carbon serve --config gateway.yaml --data-dir /var/lib/otel-carbon"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="config in the Collector's shape; none is needed")
    parser.add_argument(
        "--data-dir",
        type=directory,
        metavar="DIR",
        help="journal and ledger; default $OTEL_CARBON_DATA_DIR or the data home",
    )
    parser.add_argument(
        "--grpc", metavar="HOST:PORT", help="OTLP/gRPC, 127.0.0.1:4317 by default; port 0 is any, or off"
    )
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="OTLP/HTTP, 127.0.0.1:4318 by default; port 0 is any, or off"
    )
    parser.add_argument("--web", metavar="HOST:PORT", help="web, 127.0.0.1:8080 by default; port 0 is any, or off")
    parser.add_argument("--workers", type=_workers, metavar="N", help="processes that share the ports, 1 by default")
    parser.add_argument("--worker", metavar="ROLE", help=argparse.SUPPRESS)  # how a supervisor starts one


def run(args: argparse.Namespace) -> int:
    """Run the gateway until SIGTERM or SIGINT; 0 after a clean stop."""
    import logging
    import os

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own lines on a taken port would bury ours

    from otel_carbon.gateway.check import check_start
    from otel_carbon.gateway.logs import set_up_logging
    from otel_carbon.pipeline.memory import keep_few_heaps

    keep_few_heaps()

    def read() -> GatewayConfig:
        wanted = {"grpc": args.grpc, "http": args.http, "web": args.web, "workers": args.workers}
        return gateway_config(args.config, wanted)

    config = read()
    source = _source(args.config)
    folder = data_dir(args.data_dir, config)
    if args.worker is not None:
        from otel_carbon.gateway.workers.role import WorkerRole
        from otel_carbon.gateway.workers.worker import run_worker

        role = WorkerRole.of(args.worker)
        set_up_logging(config.service.telemetry.logs, role.number)
        return asyncio.run(run_worker(config, folder, source, role, read))
    check_start(config, source=source)
    set_up_logging(config.service.telemetry.logs)
    for warning in config.warnings:
        logging.getLogger(__name__).warning("%s: %s", source, warning)
    if _needs_workers(config, folder):
        asyncio.run(_supervise(config, folder, partial(_worker_command, args, folder)))
    else:
        asyncio.run(_serve(config, folder, source, read))
    return 0


def _workers(text: str) -> str:
    """Return a number of workers as it is written; the config says how many there can be."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes; write one, as --workers 4")
    return text


def gateway_config(path: Path | None, addresses: Mapping[str, str | None]) -> GatewayConfig:
    """Return the config in a file, or the default one, with the addresses of the command line in it.

    Raises:
        ConfigError: it is wrong.
    """
    import os

    from otel_carbon.gateway.components import Catalogue
    from otel_carbon.gateway.config import parse_config, read_config
    from otel_carbon.gateway.default_config import default_config_text
    from otel_carbon.gateway.overrides import listen_overrides

    overrides, catalogue = listen_overrides(addresses), Catalogue.bundled()
    if path is not None:
        return read_config(path, os.environ, catalogue, overrides)
    text = default_config_text(addresses)
    return parse_config(text, os.environ, catalogue, source=_source(path), overrides=overrides)


def data_dir(asked: Path | None, config: GatewayConfig) -> Path:
    """Return the data directory: the command line's, the config's, or the default."""
    from otel_carbon.ledger import default_data_dir

    if asked is not None:
        return asked
    return Path(config.service.data_dir).expanduser() if config.service.data_dir else default_data_dir()


def _source(path: Path | None) -> str:
    return str(path) if path else "default config"


async def _serve(config: GatewayConfig, folder: Path, source: str, read: Callable[[], GatewayConfig]) -> None:
    import signal

    from otel_carbon.gateway.garbage import collect_garbage_rarely
    from otel_carbon.gateway.logs import set_up_logging
    from otel_carbon.gateway.reload import Reloader
    from otel_carbon.gateway.service import Gateway

    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, signals.put_nowait, number)
    gateway = Gateway(config, folder, source=source)
    web = _web(gateway, config, folder)
    await gateway.start()
    collect_garbage_rarely()
    try:
        reloader = Reloader(
            gateway,
            read,
            follow=lambda config: set_up_logging(config.service.telemetry.logs),
            reload_files=lambda: None if web is None else web.reload_files(),
        )
        web_url = await _start_web(web)
        _say_ready(gateway.endpoints, web_url)
        while await signals.get() == signal.SIGHUP:
            await reloader.reload()
    finally:
        await gateway.stop()
        if web is not None:
            await web.shutdown()


def _needs_workers(config: GatewayConfig, folder: Path) -> bool:
    """Tell whether there is to be more than one process, be it only to deliver what an earlier worker has left."""
    from otel_carbon.gateway.workers.folders import left_over

    return config.service.workers > 1 or bool(left_over(folder, 1))


def _worker_command(args: argparse.Namespace, folder: Path, role: str, addresses: Mapping[str, str]) -> Sequence[str]:
    import sys

    command = [sys.executable, "-m", "otel_carbon", "serve", "--data-dir", str(folder), "--worker", role]
    if args.config is not None:
        command += ["--config", str(args.config)]
    if args.workers is not None:
        command += ["--workers", args.workers]  # with how many it shares
    for protocol in ("grpc", "http"):
        address: str | None = addresses[protocol] if protocol in addresses else getattr(args, protocol)
        command += [] if address is None else [f"--{protocol}", address]
    return [*command, "--web", "off"]


async def _supervise(config: GatewayConfig, folder: Path, command: Command) -> None:
    import signal

    from otel_carbon.gateway.workers.supervisor import Supervisor

    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    supervisor = Supervisor(config, folder, command)
    web = _web(supervisor, config, folder)
    await supervisor.start()
    try:
        web_url = await _start_web(web)
        _say_ready(supervisor.endpoints, web_url)
        while await signals.get() == signal.SIGHUP:
            supervisor.reload()
            if web is not None:
                web.reload_files()
    finally:
        await supervisor.stop()
        if web is not None:
            await web.shutdown()


def _web(gateway: Gateway | Supervisor, config: GatewayConfig, folder: Path) -> WebServer | None:
    from otel_carbon.security.guard import Guard
    from otel_carbon.web import WebServer, WebSources

    endpoint = config.service.web.endpoint
    if endpoint is None:
        return None
    report = _report_source(gateway, folder)
    sources = WebSources(gateway.unready_reason, gateway.metrics_text, gateway.describe, report)
    return WebServer(endpoint, sources, Guard(config.service.web, "service::web"))


def _report_source(gateway: Gateway | Supervisor, folder: Path) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Return what answers report queries: the first ledger of the config that is in force."""
    from otel_carbon.errors import StorageError
    from otel_carbon.ledger import ledger_path
    from otel_carbon.pipeline.component import Kind
    from otel_carbon.web import report_of_query

    def report(query: Mapping[str, str]) -> Mapping[str, Any]:
        exporters = gateway.config.components[Kind.EXPORTER].values()
        urls = [one.config.url for one in exporters if one.factory.type == "ledger"]
        if not urls:
            raise StorageError("this gateway keeps no ledger; add a `ledger` exporter to a traces pipeline")
        return report_of_query(ledger_path(urls[0], folder), query)

    return report


async def _start_web(web: WebServer | None) -> str | None:
    from otel_carbon.errors import CarbonError, ConfigError

    try:
        return await web.start() if web is not None else None
    except ConfigError as error:
        raise CarbonError(str(error)) from error  # the port is taken: not the config's fault


def _say_ready(endpoints: Mapping[str, str], web_url: str | None) -> None:
    import json
    import os

    ready = {"event": "ready", "grpc": endpoints.get("grpc"), "http": endpoints.get("http"), "web": web_url}
    print(json.dumps({**ready, "pid": os.getpid()}, separators=(",", ":")), flush=True)
