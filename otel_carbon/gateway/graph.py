"""The components of a config, built and wired: receivers to pipelines, pipelines to the journal, exporters to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from otel_carbon.errors import CarbonError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.feed import Feed, Refusal, Valve
from otel_carbon.gateway.pipeline import Pipeline, fan_out
from otel_carbon.gateway.problems import Problems
from otel_carbon.gateway.topology import PipelineConfig, pipeline_signal
from otel_carbon.pipeline.component import (
    Connector,
    Consumer,
    Exporter,
    Kind,
    Processor,
    Receiver,
    Refusing,
    Settings,
)
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["ExporterRoute", "Graph", "build_graph"]

Append = Callable[[str, Payload], Future[int]]

_FROM_PROCESSORS = ("estimator", "reader")


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
class Graph:
    """Every component that is in a pipeline, by id, built but not started."""

    receivers: Mapping[str, Receiver]
    connectors: Mapping[str, Connector]
    exporters: Mapping[str, Exporter]
    pipelines: Mapping[str, Pipeline]
    routes: tuple[ExporterRoute, ...]
    refusals: Mapping[str, tuple[Refusal, ...]]
    """Per pipeline, what its processors say of everything that comes."""


def build_graph(config: GatewayConfig, shared: Mapping[str, Any], append: Append, *, source: str) -> Graph:
    """Return the graph of a config.

    Raises:
        ConfigError: a component refuses its config; the message, after `source`, holds every problem.
    """
    problems = Problems()
    graph = _Builder(config, shared, append, problems).build()
    problems.raise_if_any(source)
    return graph


class _Builder:
    """Builds what a component needs before the component."""

    def __init__(self, config: GatewayConfig, shared: Mapping[str, Any], append: Append, problems: Problems) -> None:
        self._config = config
        self._wanted = config.service.pipelines
        self._shared = shared
        self._append = append
        self._problems = problems
        self._processors: dict[str, dict[str, Processor]] = {}
        self._valve = Valve()

    def build(self) -> Graph:
        pipelines = {id_: self._pipeline(id_, wanted) for id_, wanted in self._wanted.items()}
        exporters = self._exporters()
        connectors: dict[str, Connector] = self._sources(Kind.CONNECTOR, pipelines)
        receivers: dict[str, Receiver] = self._sources(Kind.RECEIVER, pipelines)
        for id_, pipeline in pipelines.items():
            pipeline.connectors += [connectors[end] for end in self._wanted[id_].exporters if end in connectors]
        refusals = {id_: self._refusals(id_) for id_ in pipelines}
        return Graph(receivers, connectors, exporters, pipelines, self._routes(exporters), refusals)

    def _pipeline(self, id_: str, wanted: PipelineConfig) -> Pipeline:
        signal = pipeline_signal(id_)
        assert signal is not None
        built = {name: self._component(Kind.PROCESSOR, name, {}, self._shared) for name in wanted.processors}
        self._processors[id_] = {name: found for name, found in built.items() if found is not None}
        return Pipeline(id_, signal, list(self._processors[id_].items()), self._append, self._shared["telemetry"])

    def _exporters(self) -> dict[str, Exporter]:
        ids = dict.fromkeys(id_ for wanted in self._wanted.values() for id_ in wanted.exporters)
        configured = self._config.components[Kind.EXPORTER]
        built = {
            id_: self._component(Kind.EXPORTER, id_, {}, self._shared_with(id_)) for id_ in ids if id_ in configured
        }
        return {id_: exporter for id_, exporter in built.items() if exporter is not None}

    def _shared_with(self, id_: str) -> dict[str, Any]:
        """Return what is shared with an exporter or connector: also what processors in front of it estimate with."""
        in_front = [
            processor
            for pipeline_id, wanted in self._wanted.items()
            if id_ in wanted.exporters
            for processor in self._processors[pipeline_id].values()
        ]
        found = {key: getattr(one, key) for key in _FROM_PROCESSORS for one in reversed(in_front) if hasattr(one, key)}
        return {**self._shared, **found}

    def _sources(self, kind: Kind, pipelines: Mapping[str, Pipeline]) -> dict[str, Any]:
        """Build what hands data to pipelines: each gets, per signal, the pipelines that it is a receiver of."""
        ids = dict.fromkeys(id_ for wanted in self._wanted.values() for id_ in wanted.receivers)
        built: dict[str, Any] = {}
        for id_ in (id_ for id_ in ids if id_ in self._config.components[kind]):
            feed = self._feed(id_, pipelines)
            built[id_] = self._component(kind, id_, feed, {**self._shared_with(id_), "refusal": feed.refusal})
        return {id_: component for id_, component in built.items() if component is not None}

    def _feed(self, source_id: str, pipelines: Mapping[str, Pipeline]) -> Feed:
        consumers: dict[Signal, list[Consumer]] = {}
        fed = [id_ for id_, wanted in self._wanted.items() if source_id in wanted.receivers]
        for id_ in fed:
            consumers.setdefault(pipelines[id_].signal, []).append(pipelines[id_].consume)
        feed = Feed(self._valve)
        targets = {signal: fan_out(found) for signal, found in consumers.items()}
        feed.connect(targets, [refusal for id_ in fed for refusal in self._refusals(id_)])
        return feed

    def _refusals(self, pipeline_id: str) -> tuple[Refusal, ...]:
        processors = self._processors[pipeline_id].values()
        return tuple(processor.refusal for processor in processors if isinstance(processor, Refusing))

    def _component(self, kind: Kind, id_: str, consumers: Mapping[Signal, Consumer], shared: Mapping[str, Any]) -> Any:
        configured = self._config.components[kind][id_]
        try:
            return configured.factory.create(configured.config, Settings(id_, consumers, shared))
        except CarbonError as error:
            self._problems.add_error(f"{kind}s::{id_}", error)
            return None

    def _routes(self, exporters: Mapping[str, Exporter]) -> tuple[ExporterRoute, ...]:
        found: dict[tuple[str, Signal], set[str]] = {}
        for pipeline_id, wanted in self._wanted.items():
            signal = pipeline_signal(pipeline_id)
            for id_ in wanted.exporters:
                if id_ in exporters and signal is not None:
                    found.setdefault((id_, signal), set()).add(pipeline_id)
        return tuple(ExporterRoute(id_, signal, frozenset(ids)) for (id_, signal), ids in found.items())
