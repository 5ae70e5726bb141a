"""Every component that comes with otel-carbon, found by kind and type as the Collector finds its own."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from otel_carbon.pipeline.component import Factory, Kind

__all__ = ["Catalogue", "factories"]

_MODULES = (
    "otel_carbon.receivers.otlp",
    "otel_carbon.processors.memory_limiter",
    "otel_carbon.processors.carbon",
    "otel_carbon.processors.redact",
    "otel_carbon.exporters.debug",
    "otel_carbon.exporters.ledger",
    "otel_carbon.exporters.otlp_grpc",
    "otel_carbon.exporters.otlp_http",
    "otel_carbon.exporters.prometheus",
    "otel_carbon.connectors.carbon_metrics",
)


def factories() -> tuple[Factory[Any], ...]:
    """Return the factory of every built-in component."""
    return tuple(importlib.import_module(module).FACTORY for module in _MODULES)


class Catalogue:
    """Factories by kind and type. An alias is an older name of a type."""

    def __init__(self, known: Iterable[Factory[Any]]) -> None:
        self._by_name: dict[tuple[Kind, str], Factory[Any]] = {}
        for factory in known:
            for name in (factory.type, *factory.aliases):
                self._by_name[factory.kind, name] = factory

    @classmethod
    def bundled(cls) -> Catalogue:
        """Return the catalogue of the built-in components."""
        return cls(factories())

    def find(self, kind: Kind, type_: str) -> Factory[Any] | None:
        """Return the factory of a type or alias."""
        return self._by_name.get((kind, type_))

    def types(self, kind: Kind) -> list[str]:
        """Return the types of a kind, without aliases."""
        return sorted({factory.type for (found, _), factory in self._by_name.items() if found == kind})
