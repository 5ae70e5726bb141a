"""Counters that there can be only one of: the supervisor has them, and workers tell it what they measured."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from otel_carbon.connectors.carbon_metrics import CarbonMetricsConnector, Config
from otel_carbon.errors import UnavailableError
from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.workers.hosted import HostedComponents
from otel_carbon.gateway.workers.link import LinkError, UnansweredError
from otel_carbon.gateway.workers.taken_back import TakenBack
from otel_carbon.gateway.workers.tell import Message
from otel_carbon.pipeline.component import Kind, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.tally import Tally

__all__ = ["HostedCounters"]

_LOG = logging.getLogger(__name__)

AskFirst = Callable[[str, Any], Awaitable[Any]]
"""Asks the first worker. Raises LinkError."""


class HostedCounters(HostedComponents[CarbonMetricsConnector]):
    """The `carbon_metrics` connectors of the supervisor.

    Their metrics go out through the pipelines of the first worker, always the same one, so that a destination gets
    them in order.
    """

    def __init__(self, config: GatewayConfig, ask_first: AskFirst) -> None:
        self._ask_first = ask_first
        self._tallies: list[Tally] = []
        self._shared: dict[str, Any] = {"tallies": self._tallies}
        self._taken_back = TakenBack()
        super().__init__(config, Kind.CONNECTOR, self._connector)

    def name_after(self, journal_id: str) -> None:
        """Name the metrics after the journal of the first worker, as those of a gateway without workers are."""
        self._shared.setdefault("journal_id", journal_id)

    def take(self, message: Message) -> None:
        """Count what a worker told."""
        match message:
            case ("counted", id_, spans):
                self.by_id[id_].count(spans)
            case ("taken back", told):
                for reversal in self._taken_back.new(told):
                    for tally in self._tallies:
                        tally.add_reversed(reversal)
            case _:
                raise ValueError(f"not known: {message[0]}")

    def _connector(self, id_: str, one: ComponentConfig) -> CarbonMetricsConnector:
        async def consume(payload: Payload) -> None:
            await self._hand_over(id_, one.config, payload)

        return CarbonMetricsConnector(one.config, Settings(id_, {Signal.METRICS: consume}, self._shared))

    async def _hand_over(self, id_: str, config: Config, payload: Payload) -> None:
        """Let the first worker take metrics in. Raises UnavailableError where it does not."""
        if "journal_id" not in self._shared:
            raise UnavailableError("the first worker is starting")
        body = base64.b64encode(payload.body).decode("ascii")
        try:
            refused = await self._ask_first("consume", [id_, body, payload.items])
        except UnansweredError as error:
            if config.temporality != "delta":
                raise UnavailableError(str(error)) from error
            # It may be in the journal. Sent again it could count twice.
            _LOG.warning("%s: %s; whether the metrics of this interval arrive is not known", id_, error)
        except LinkError as error:
            raise UnavailableError(str(error)) from error
        else:
            if refused is not None:
                raise UnavailableError(refused)
