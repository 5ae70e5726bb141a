"""Components that there can be only one of: the supervisor has them, and workers have something in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.graph import Key
from otel_carbon.gateway.problems import Problems
from otel_carbon.pipeline.component import Component, Kind

__all__ = ["HostedComponents", "check_hosted", "hosted"]

_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.EXPORTER: "prometheus",  # listens on a port, and is asked there for what all workers have got
        Kind.CONNECTOR: "carbon_metrics",  # counts a span once, whichever worker gets it
    }
)


T = TypeVar("T", bound=Component)


class HostedComponents(Generic[T]):
    """The components of one kind that the supervisor has, by id, as `create` makes them."""

    def __init__(self, config: GatewayConfig, kind: Kind, create: Callable[[str, ComponentConfig], T]) -> None:
        self.by_id = {id_: create(id_, one) for (of, id_), one in hosted(config).items() if of is kind}

    async def start(self) -> None:
        """Start all. Raises ConfigError where one cannot be."""
        for component in self.by_id.values():
            await component.start()

    async def shutdown(self) -> None:
        """Stop all. Safe to call twice."""
        for component in self.by_id.values():
            await component.shutdown()


def hosted(config: GatewayConfig) -> dict[Key, ComponentConfig]:
    """Return those of the components in use that the supervisor has."""
    used = {id_ for pipeline in config.service.pipelines.values() for id_ in pipeline.exporters}
    return {
        (kind, id_): one
        for kind, type_ in _TYPES.items()
        for id_, one in config.components[kind].items()
        if one.factory.type == type_ and id_ in used
    }


def check_hosted(old: GatewayConfig, new: GatewayConfig, source: str) -> None:
    """Refuse a config that would change what the supervisor has.

    Raises:
        ConfigError: it does, by its YAML path.
    """
    before, after = ({key: one.config for key, one in hosted(config).items()} for config in (old, new))
    problems = Problems()
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            kind, id_ = key
            problems.add(
                f"{kind}s::{id_}", "cannot change while several workers run; restart, or put the earlier value back"
            )
    problems.raise_if_any(source)
