"""Build every component of a config and throw them away: what only a component can know is checked too."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from otel_carbon.errors import UnavailableError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.graph_builder import build_graph
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.pipeline.pdata import Payload
from otel_carbon.pipeline.tally import Tally

__all__ = ["check_config"]


def check_config(config: GatewayConfig, *, source: str) -> None:
    """Check that every component can be built. Nothing is started, no file or port is touched.

    Raises:
        ConfigError: a component refuses its config.
    """
    shared = {
        "telemetry": SelfMetrics(),
        "tallies": list[Tally](),
        "data_dir": Path(),
        "journal_id": "",
        "no_room": lambda: None,
    }
    build_graph(config, shared, _refuse, source=source)


def _refuse(_pipeline_id: str, _payload: Payload) -> Future[int]:
    raise UnavailableError("this gateway is only being checked")
