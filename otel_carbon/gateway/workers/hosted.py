"""Components that there can be only one of: the supervisor has them, and workers have something in their place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from otel_carbon.gateway.config import ComponentConfig, GatewayConfig
from otel_carbon.gateway.graph import Key
from otel_carbon.gateway.problems import Problems
from otel_carbon.pipeline.component import Kind

__all__ = ["check_hosted", "hosted"]

_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.EXPORTER: "prometheus",  # listens on a port, and is asked there for what all workers have got
        Kind.CONNECTOR: "carbon_metrics",  # counts a span once, whichever worker gets it
    }
)


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
