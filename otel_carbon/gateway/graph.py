"""The components of a config as they are wired: receivers to pipelines, pipelines to the journal, exporters to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from otel_carbon.gateway.feed import Feed, Refusal
from otel_carbon.gateway.pipeline import Pipeline
from otel_carbon.pipeline.component import Connector, Consumer, Exporter, Kind, Receiver
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.tally import Tally

__all__ = ["NOTHING_BUILT", "Built", "ExporterRoute", "Graph", "Key"]

Key = tuple[Kind, str]
"""Kind and id of a component."""


@dataclass(frozen=True, slots=True)
class ExporterRoute:
    """What one exporter reads: the pipelines of one signal that end in it. The cursor has its name."""

    exporter_id: str
    signal: Signal
    pipelines: frozenset[str]

    @property
    def cursor(self) -> str:
        """Return the name of the cursor in the journal."""
        return f"{self.exporter_id}:{self.signal}"


@dataclass(frozen=True, slots=True)
class Built:
    """A component, what it was made from, and what it was given that outlives a reload."""

    component: Any
    made_from: tuple[Any, ...]
    feed: Feed | None = None
    tallies: list[Tally] = field(default_factory=list[Tally])

    @property
    def stays(self) -> bool:
        """Return whether it stays where an equal one is wanted: receivers and connectors, and who asks for it."""
        return self.feed is not None or getattr(self.component, "stays_on_reload", False)


NOTHING_BUILT: Mapping[Key, Built] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Graph:
    """Every component that is in a pipeline, by id, built but not started."""

    receivers: Mapping[str, Receiver]
    connectors: Mapping[str, Connector]
    exporters: Mapping[str, Exporter]
    pipelines: Mapping[str, Pipeline]
    routes: tuple[ExporterRoute, ...]
    built: Mapping[Key, Built]
    wiring: Mapping[Key, Mapping[Signal, Consumer]]
    """What each receiver and connector feeds."""
    refusals: Mapping[Key, tuple[Refusal, ...]]
    """What processors behind a receiver or connector say of everything that comes."""
    accounting: frozenset[Key]
    """The receivers and connectors whose spans somebody accounts for."""

    def connect(self) -> None:
        """Let the receivers and connectors feed these pipelines."""
        for key, targets in self.wiring.items():
            feed = self.built[key].feed
            assert feed is not None
            feed.connect(targets, self.refusals[key], accounts=key in self.accounting)
