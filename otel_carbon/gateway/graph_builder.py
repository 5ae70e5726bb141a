"""From a config to its components: each is built after what it needs, or taken over from an earlier graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from otel_carbon.errors import CarbonError
from otel_carbon.exporters.ledger import LedgerExporter
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.feed import Feed, Refusal, Valve
from otel_carbon.gateway.graph import NOTHING_BUILT, Built, ExporterRoute, Graph, Key
from otel_carbon.gateway.pipeline import Pipeline, fan_out
from otel_carbon.gateway.problems import Problems
from otel_carbon.gateway.topology import PipelineConfig, pipeline_signal
from otel_carbon.gateway.tracing import Tracing
from otel_carbon.pipeline.component import Connector, Consumer, Exporter, Kind, Processor, Receiver, Refusing, Settings
from otel_carbon.pipeline.pdata import Payload, Signal
from otel_carbon.pipeline.tally import Tally

__all__ = ["Append", "build_graph"]

Append = Callable[[str, Payload], Future[int]]
"""Takes the id of a pipeline and a payload; the future gets the position once it is on disk."""

_FROM_PROCESSORS = ("estimator", "reader")


def build_graph(
    config: GatewayConfig,
    shared: Mapping[str, Any],
    append: Append,
    *,
    source: str,
    valve: Valve | None = None,
    earlier: Mapping[Key, Built] = NOTHING_BUILT,
) -> Graph:
    """Return the graph of a config.

    What stays of `earlier` is taken as it is; it feeds the new pipelines after `connect`.

    Raises:
        ConfigError: a component refuses its config; the message, after `source`, holds every problem.
    """
    problems = Problems()
    graph = _Builder(config, shared, append, problems, valve=valve or Valve(), earlier=earlier).build()
    problems.raise_if_any(source)
    return graph


class _Builder:
    """Builds what a component needs before the component."""

    def __init__(
        self,
        config: GatewayConfig,
        shared: Mapping[str, Any],
        append: Append,
        problems: Problems,
        *,
        valve: Valve,
        earlier: Mapping[Key, Built],
    ) -> None:
        self._config = config
        self._wanted = config.service.pipelines
        self._shared = shared
        self._append = append
        self._problems = problems
        self._valve = valve
        self._earlier = earlier
        self._processors: dict[str, dict[str, Processor]] = {}
        self._built: dict[Key, Built] = {}

    def build(self) -> Graph:
        pipelines = {id_: self._pipeline(id_, wanted) for id_, wanted in self._wanted.items()}
        exporters = self._exporters()
        wiring: dict[Key, Mapping[Signal, Consumer]] = {}
        connectors: dict[str, Connector] = self._sources(Kind.CONNECTOR, pipelines, wiring)
        receivers: dict[str, Receiver] = self._sources(Kind.RECEIVER, pipelines, wiring)
        for id_, pipeline in pipelines.items():
            pipeline.watchers += [connectors[end] for end in self._wanted[id_].exporters if end in connectors]
            pipeline.watchers += self._shared.get("watchers", ())
        refusals = {key: self._refusals(key[1]) for key in wiring}
        accounting = frozenset(key for key in wiring if self._accounts(key[1]))
        routes = self._routes(exporters)
        return Graph(receivers, connectors, exporters, pipelines, routes, self._built, wiring, refusals, accounting)

    def _pipeline(self, id_: str, wanted: PipelineConfig) -> Pipeline:
        signal = pipeline_signal(id_)
        assert signal is not None
        made = {name: self._made(Kind.PROCESSOR, name, {}, self._shared) for name in wanted.processors}
        self._processors[id_] = {name: found for name, found in made.items() if found is not None}
        tracing: Tracing | None = self._shared.get("tracing")
        steps = {} if tracing is None else {"step": tracing.step}
        processors = list(self._processors[id_].items())
        return Pipeline(id_, signal, processors, self._append, self._shared["telemetry"], **steps)

    def _exporters(self) -> dict[str, Exporter]:
        ids = dict.fromkeys(id_ for wanted in self._wanted.values() for id_ in wanted.exporters)
        configured = self._config.components[Kind.EXPORTER]
        built = {id_: self._exporter(id_) for id_ in ids if id_ in configured}
        found = {id_: exporter for id_, exporter in built.items() if exporter is not None}
        self._check_ledgers(found)
        return found

    def _check_ledgers(self, exporters: Mapping[str, Exporter]) -> None:
        """Note a second exporter to the file of a ledger: its spans would all be there already."""
        owners: dict[Path, str] = {}
        for id_, exporter in exporters.items():
            if isinstance(exporter, LedgerExporter):
                owner = owners.setdefault(exporter.path.resolve(), id_)
                if owner != id_:
                    self._problems.add(
                        f"exporters::{id_}::url",
                        f"{exporter.path} is the ledger of exporters::{owner} too; name {owner} in both pipelines, "
                        "or another file",
                    )

    def _exporter(self, id_: str) -> Exporter | None:
        key, made_from = (Kind.EXPORTER, id_), self._made_from(Kind.EXPORTER, id_)
        built = self._staying(key, made_from)
        if built is None:
            built = Built(self._made(Kind.EXPORTER, id_, {}, self._shared_with(id_)), made_from)
        self._built[key] = built
        exporter: Exporter | None = built.component
        return exporter

    def _shared_with(self, id_: str) -> dict[str, Any]:
        """Return what is shared with an exporter or connector: also what processors in front of it estimate with."""
        in_front = [
            processor for pipeline_id in self._ending_in(id_) for processor in self._processors[pipeline_id].values()
        ]
        found = {key: getattr(one, key) for key in _FROM_PROCESSORS for one in reversed(in_front) if hasattr(one, key)}
        return {**self._shared, **found}

    def _sources(
        self, kind: Kind, pipelines: Mapping[str, Pipeline], wiring: dict[Key, Mapping[Signal, Consumer]]
    ) -> dict[str, Any]:
        """Build what hands data to pipelines, and note in `wiring` to which, per signal."""
        ids = dict.fromkeys(id_ for wanted in self._wanted.values() for id_ in wanted.receivers)
        for id_ in (id_ for id_ in ids if id_ in self._config.components[kind]):
            wiring[kind, id_] = self._targets((kind, id_), pipelines)
            self._built[kind, id_] = self._source((kind, id_), wiring[kind, id_])
        found = {id_: built.component for (of, id_), built in self._built.items() if of is kind}
        return {id_: component for id_, component in found.items() if component is not None}

    def _targets(self, source: Key, pipelines: Mapping[str, Pipeline]) -> Mapping[Signal, Consumer]:
        kind, source_id = source
        consumers: dict[Signal, list[Consumer]] = {}
        for id_ in self._fed_by(source_id):
            consumers.setdefault(pipelines[id_].signal, []).append(pipelines[id_].consume)
        targets = {signal: fan_out(found) for signal, found in consumers.items()}
        tracing: Tracing | None = self._shared.get("tracing")
        if tracing is None or kind is not Kind.RECEIVER:
            return targets
        return {signal: tracing.receiving(source_id, target) for signal, target in targets.items()}

    def _source(self, key: Key, targets: Mapping[Signal, Consumer]) -> Built:
        kind, id_ = key
        made_from = self._made_from(kind, id_)
        staying = self._staying(key, made_from)
        if staying is not None:
            self._shared["tallies"].extend(staying.tallies)
            return staying
        feed, tallies = Feed(self._valve), list[Tally]()
        feed.connect(targets, self._refusals(id_), accounts=self._accounts(id_))
        asked = {"refusal": feed.refusal, "accounts": feed.accounts}
        shared = {**self._shared_with(id_), **asked, "tallies": tallies}
        made = self._made(kind, id_, feed, shared)
        self._shared["tallies"].extend(tallies)
        return Built(made, made_from, feed, tallies)

    def _made_from(self, kind: Kind, id_: str) -> tuple[Any, ...]:
        """Return what decides whether a component that is there is the one that is wanted."""
        configured = self._config.components[kind][id_]
        in_front = [] if kind is not Kind.CONNECTOR else self._processor_configs(id_)
        return (configured.factory.type, configured.config, *in_front)

    def _processor_configs(self, connector_id: str) -> list[Any]:
        """Return the configs of the processors that a connector gets its estimator from."""
        ids = [id_ for pipeline in self._ending_in(connector_id) for id_ in self._wanted[pipeline].processors]
        return [self._config.components[Kind.PROCESSOR][id_].config for id_ in ids]

    def _staying(self, key: Key, made_from: tuple[Any, ...]) -> Built | None:
        earlier = self._earlier.get(key)
        return earlier if earlier is not None and earlier.stays and earlier.made_from == made_from else None

    def _refusals(self, source_id: str) -> tuple[Refusal, ...]:
        fed = self._fed_by(source_id)
        behind = [one for id_ in fed for one in self._processors[id_].values()]
        connectors = [(Kind.CONNECTOR, end) for id_ in fed for end in self._wanted[id_].exporters]
        behind += [self._built[key].component for key in connectors if key in self._built]
        return tuple(one.refusal for one in behind if isinstance(one, Refusing))

    def _accounts(self, source_id: str) -> bool:
        fed = self._fed_by(source_id)
        behind = [one for id_ in fed for one in self._processors[id_].values()]
        behind += [self._built[Kind.EXPORTER, end].component for id_ in fed for end in self._exporters_of(id_)]
        return any(getattr(one, "accounts", False) for one in behind)

    def _exporters_of(self, pipeline_id: str) -> list[str]:
        return [end for end in self._wanted[pipeline_id].exporters if (Kind.EXPORTER, end) in self._built]

    def _ending_in(self, id_: str) -> list[str]:
        return [pipeline_id for pipeline_id, wanted in self._wanted.items() if id_ in wanted.exporters]

    def _fed_by(self, source_id: str) -> list[str]:
        return [pipeline_id for pipeline_id, wanted in self._wanted.items() if source_id in wanted.receivers]

    def _made(self, kind: Kind, id_: str, consumers: Mapping[Signal, Consumer], shared: Mapping[str, Any]) -> Any:
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
