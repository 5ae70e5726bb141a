"""SIGHUP: read the config and the files that it names again, and go on with the earlier ones where they are wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from otel_carbon.errors import CarbonError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.service import Gateway

__all__ = ["Reloader"]

_LOG = logging.getLogger(__name__)


class Reloader:
    """Reloads a gateway. `read` gives the config as it is written now; `follow` is called with one that is in force."""

    def __init__(
        self,
        gateway: Gateway,
        read: Callable[[], GatewayConfig],
        follow: Callable[[GatewayConfig], None],
        reload_files: Callable[[], None],
    ) -> None:
        self._gateway = gateway
        self._read = read
        self._follow = follow
        self._reload_files = reload_files
        self._successful = True
        self._succeeded_unix_s = time.time()
        gateway.telemetry.gauge("config_last_reload_successful", lambda: {(): float(self._successful)})
        gateway.telemetry.gauge(
            "config_last_reload_success_timestamp_seconds", lambda: {(): round(self._succeeded_unix_s, 3)}
        )

    async def reload(self) -> None:
        """Take over what is written now, or say in the log, by its path, why it cannot be taken over.

        Raises:
            CarbonError: neither the new config nor the earlier one can be started: there is no gateway left.
        """
        began_s = time.monotonic()
        try:
            config = await asyncio.to_thread(self._read)
            await self._gateway.reload(config)
        except CarbonError as error:
            self._successful = False
            self._gateway.telemetry.count("config_reloads", outcome="refused")
            _LOG.error("the config is not taken over, the earlier one stays in force: %s", error)
            if not self._gateway.is_running:
                raise
        else:
            self._note_success(config, time.monotonic() - began_s)
        self._gateway.reload_files()
        self._reload_files()

    def _note_success(self, config: GatewayConfig, took_s: float) -> None:
        self._follow(config)
        self._successful, self._succeeded_unix_s = True, time.time()
        self._gateway.telemetry.count("config_reloads", outcome="success")
        for warning in config.warnings:
            _LOG.warning("%s", warning)
        _LOG.info("the config was read again and is in force, after %.0f ms", took_s * 1000)
