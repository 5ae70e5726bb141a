"""One worker: a whole gateway without pages of its own, which tells its supervisor how it is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from otel_carbon.errors import CarbonError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.garbage import collect_garbage_rarely
from otel_carbon.gateway.logs import set_up_logging
from otel_carbon.gateway.reload import Reloader
from otel_carbon.gateway.service import Gateway
from otel_carbon.gateway.workers.folders import journal_dir
from otel_carbon.gateway.workers.hosted import check_hosted
from otel_carbon.gateway.workers.link import Link, LinkError
from otel_carbon.gateway.workers.relay import Relay
from otel_carbon.gateway.workers.role import WorkerRole
from otel_carbon.gateway.workers.sums import as_plain
from otel_carbon.gateway.workers.tell import Teller
from otel_carbon.pipeline.component import Kind

__all__ = ["run_worker"]

_LOG = logging.getLogger(__name__)
_LOOK_AGAIN_S = 0.2
_FAILED, _ABANDONED, _SOMETHING_LEFT = 1, 70, 75  # the latter are EX_SOFTWARE and EX_TEMPFAIL of sysexits.h


async def run_worker(
    config: GatewayConfig, data_dir: Path, source: str, role: WorkerRole, read: Callable[[], GatewayConfig]
) -> int:
    """Run until SIGTERM or SIGINT, or, where it only drains, until everything in its journal is delivered.

    `read` gives the config as it is written now, for SIGHUP. Returns the exit code: of one that only drains it is 0
    where nothing is left, so that its journal can go.

    Raises:
        CarbonError: it cannot start.
    """
    worker = _Worker()
    teller = Teller(socket.socket(fileno=role.tell_fd))
    answers = {"state": worker.state, "describe": worker.describe, "consume": worker.consume}
    link = await Link.over(socket.socket(fileno=role.link_fd), answers)
    worker.relay = relay = Relay(link.ask, teller.tell, teller.refusal)
    listening = asyncio.create_task(link.run(), name="link to the supervisor")
    listening.add_done_callback(_abandoned)
    gateway = Gateway(
        _config_of(role, config, relay),
        data_dir,
        source=source,
        journal_dir=journal_dir(data_dir, role.number),
        owner_pid=os.getppid(),  # this process would be started again
        shared={"shares_ports": True, "taken_back": relay.tell_taken_back},
    )
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    try:
        await gateway.start()
    except CarbonError as error:
        listening.remove_done_callback(_abandoned)
        with suppress(LinkError):
            await link.ask("failed", str(error))
            return _FAILED  # the supervisor says why
        raise
    collect_garbage_rarely()
    worker.gateway = gateway
    try:
        reloader = Reloader(
            gateway,
            lambda: _changed(role, config, read(), relay, source),
            follow=lambda config: set_up_logging(config.service.telemetry.logs, role.number),
            reload_files=lambda: None,
        )
        state = await asyncio.to_thread(gateway.describe)
        await link.ask("ready", [dict(gateway.endpoints), state["journal"]["id"]])
        await (_drain(gateway, signals) if role.only_drains else _serve(reloader, signals))
    finally:
        relay.is_ending = True
        left = await gateway.stop()
        listening.remove_done_callback(_abandoned)
        link.close()
        teller.close()
    return _SOMETHING_LEFT if role.only_drains and left else 0


def _changed(role: WorkerRole, old: GatewayConfig, new: GatewayConfig, relay: Relay, source: str) -> GatewayConfig:
    check_hosted(old, new, source)
    return _config_of(role, new, relay)


def _config_of(role: WorkerRole, config: GatewayConfig, relay: Relay) -> GatewayConfig:
    config = relay.standing_in(config)
    return replace(config, components={**config.components, Kind.RECEIVER: {}}) if role.only_drains else config


async def _serve(reloader: Reloader, signals: asyncio.Queue[signal.Signals]) -> None:
    while await signals.get() == signal.SIGHUP:
        await reloader.reload()


async def _drain(gateway: Gateway, signals: asyncio.Queue[signal.Signals]) -> None:
    while not await asyncio.to_thread(_is_drained, gateway):
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await signals.get()
                return


class _Worker:
    """Answers the questions of the supervisor, also before and after the gateway runs."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None
        self.relay: Relay | None = None

    async def state(self, _about: Any) -> Any:
        """Return metrics, and why there should be no traffic."""
        gateway = self.gateway
        if gateway is None:
            return {"families": [], "unready": "the gateway is starting"}
        families = await asyncio.to_thread(gateway.telemetry.families)
        return {"families": as_plain(families), "unready": gateway.unready_reason()}

    async def describe(self, _about: Any) -> Any:
        """Return pipelines, components, cursors and their state."""
        return {} if self.gateway is None else await asyncio.to_thread(self.gateway.describe)

    async def consume(self, about: Any) -> Any:
        """Take metrics of the supervisor in."""
        return "the worker is starting" if self.relay is None else await self.relay.consume(about)


def _is_drained(gateway: Gateway) -> bool:
    cursors = gateway.describe().get("cursors", {})
    return all(not cursor["waiting"]["payloads"] for cursor in cursors.values())


def _abandoned(_listening: asyncio.Task[None]) -> None:
    """End at once: the supervisor is gone, and the next one needs the ports and the journal. Nothing is lost by it."""
    _LOG.error("the supervisor has ended; what is not delivered stays in the journal for the next start")
    os._exit(_ABANDONED)
