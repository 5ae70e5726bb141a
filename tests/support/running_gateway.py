"""A gateway in this process, from the text of a config."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import GatewayConfig, parse_config
from otel_carbon.gateway.service import Gateway

__all__ = ["config_of", "running"]


def config_of(text: str, catalogue: Catalogue | None = None) -> GatewayConfig:
    """Return a config; without a catalogue, of the components that come with the gateway."""
    return parse_config(dedent(text), {}, catalogue or Catalogue.bundled(), source="gateway.yaml")


@asynccontextmanager
async def running(data_dir: Path, config: GatewayConfig, drain_timeout_s: float = 5.0) -> AsyncIterator[Gateway]:
    """Run a gateway and drain it in the end."""
    gateway = Gateway(config, data_dir, source="gateway.yaml")
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop(drain_timeout_s)
