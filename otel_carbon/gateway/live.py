"""What may not change while a gateway runs: where it listens, and where its data is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.problems import Problems
from otel_carbon.pipeline.component import Kind

__all__ = ["fixed_changes"]

_FIXED = ("data_dir", "journal", "dead_letters", "web", "workers")


def fixed_changes(old: GatewayConfig, new: GatewayConfig) -> Problems:
    """Return every change that needs a restart, by its YAML path.

    A receiver that is there before and after keeps its connections, so it cannot be another one; one that is added or
    taken out can.
    """
    problems = Problems()
    for path in _changes(old, new):
        problems.add(path, "cannot change while the gateway runs; restart it, or put the earlier value back")
    return problems


def _changes(old: GatewayConfig, new: GatewayConfig) -> Iterator[str]:
    for name in _FIXED:
        yield from _differing(f"service::{name}", getattr(old.service, name), getattr(new.service, name))
    for name in ("energy", "traces"):
        path = f"service::telemetry::{name}"
        yield from _differing(path, getattr(old.service.telemetry, name), getattr(new.service.telemetry, name))
    used = {id_ for config in (old, new) for wanted in config.service.pipelines.values() for id_ in wanted.receivers}
    before, after = old.components[Kind.RECEIVER], new.components[Kind.RECEIVER]
    for id_ in sorted(used & before.keys() & after.keys()):
        yield from _differing(f"receivers::{id_}", before[id_].config, after[id_].config)


def _differing(path: str, old: Any, new: Any) -> Iterator[str]:
    """Yield the paths of the values that differ, as deep as both have the same kind of map."""
    if old == new:
        return
    if dataclasses.is_dataclass(old) and type(old) is type(new):
        for field in dataclasses.fields(old):
            yield from _differing(f"{path}::{field.name}", getattr(old, field.name), getattr(new, field.name))
    else:
        yield path
