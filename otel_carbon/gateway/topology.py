"""Which component is wired to which: the pipelines of a config, checked before anything is built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otel_carbon.gateway.problems import Problems, suggestion
from otel_carbon.pipeline.component import Factory, Kind
from otel_carbon.pipeline.pdata import Signal

__all__ = ["PipelineConfig", "Wiring", "check_pipelines", "pipeline_signal"]

Wiring = Mapping[Kind, Mapping[str, Factory[Any]]]
"""The factory of every configured component, by kind and id."""

_NAME = re.compile(r"[^\s/]+")


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """`service::pipelines::<signal>[/name]`: component ids; a connector may be either end."""

    receivers: tuple[str, ...]
    exporters: tuple[str, ...]
    processors: tuple[str, ...] = ()


def pipeline_signal(pipeline_id: str) -> Signal | None:
    """Return the signal of `traces` or `traces/name`; None when the id is neither."""
    type_, slash, name = pipeline_id.partition("/")
    if type_ not in set(Signal) or (slash and not _NAME.fullmatch(name)):
        return None
    return Signal(type_)


def check_pipelines(pipelines: Mapping[str, PipelineConfig], wiring: Wiring, problems: Problems) -> list[str]:
    """Note what is wrong with the pipelines; return warnings about what is only odd."""
    if not pipelines:
        problems.add("service::pipelines", "has no pipeline; name at least one, as `traces`")
    _check_ids_are_unique(wiring, problems)
    for pipeline_id, pipeline in pipelines.items():
        path = f"service::pipelines::{pipeline_id}"
        signal = pipeline_signal(pipeline_id)
        if signal is None:
            problems.add(path, "must be named traces, metrics or logs, with a name after a slash for a second one")
            continue
        _check_end(f"{path}::receivers", pipeline.receivers, signal, wiring, problems)
        _check_ids(f"{path}::processors", pipeline.processors, wiring[Kind.PROCESSOR], signal, problems)
        _check_end(f"{path}::exporters", pipeline.exporters, signal, wiring, problems)
    _check_connectors(pipelines, wiring[Kind.CONNECTOR], problems)
    return _unused(pipelines, wiring)


def _check_ids_are_unique(wiring: Wiring, problems: Problems) -> None:
    for article, end in (("a", Kind.RECEIVER), ("an", Kind.EXPORTER)):
        for id_ in wiring[end].keys() & wiring[Kind.CONNECTOR].keys():
            problems.add(
                f"connectors::{id_}", f"is the id of {article} {end} too; give one of them a name, as {id_}/main"
            )


def _check_end(path: str, ids: tuple[str, ...], signal: Signal, wiring: Wiring, problems: Problems) -> None:
    kind = Kind.RECEIVER if path.endswith("receivers") else Kind.EXPORTER
    if not ids:
        problems.add(path, f"is empty; name at least one {kind} or connector")
    _check_ids(path, ids, {**wiring[Kind.CONNECTOR], **wiring[kind]}, signal, problems)


def _check_ids(
    path: str, ids: tuple[str, ...], known: Mapping[str, Factory[Any]], signal: Signal, problems: Problems
) -> None:
    section = path.rpartition("::")[2]
    for index, id_ in enumerate(ids):
        if id_ in ids[:index]:
            problems.add(path, f"'{id_}' stands twice")
        elif id_ not in known:
            problems.add(path, f"'{id_}' is not configured under {section}; {suggestion(id_, known)}")
        elif signal not in _signals(known[id_], section):
            can = ", ".join(sorted(_signals(known[id_], section)))
            problems.add(path, f"'{id_}' does not support {signal}; it supports {can}")


def _signals(factory: Factory[Any], section: str) -> frozenset[Signal]:
    return factory.produces if factory.kind is Kind.CONNECTOR and section == "receivers" else factory.signals


def _check_connectors(
    pipelines: Mapping[str, PipelineConfig], connectors: Mapping[str, Factory[Any]], problems: Problems
) -> None:
    for id_ in connectors:
        ends = [key for key in ("receivers", "exporters") if any(id_ in getattr(p, key) for p in pipelines.values())]
        if len(ends) == 1:
            other = "receivers" if ends == ["exporters"] else "exporters"
            problems.add(
                f"connectors::{id_}", f"is only among the {ends[0]}; it must be among the {other} of a pipeline too"
            )
    circle = _circle(pipelines, connectors)
    if circle:
        problems.add("service::pipelines", f"go in a circle: {' -> '.join(circle)}; take one connector out")


def _circle(pipelines: Mapping[str, PipelineConfig], connectors: Mapping[str, Factory[Any]]) -> list[str]:
    follows = {
        id_: [
            other
            for other, following in pipelines.items()
            if any(connector in pipeline.exporters and connector in following.receivers for connector in connectors)
        ]
        for id_, pipeline in pipelines.items()
    }
    for start in follows:
        circle = _path(start, start, follows, [start])
        if circle:
            return circle
    return []


def _path(at: str, goal: str, follows: Mapping[str, list[str]], walked: list[str]) -> list[str]:
    for following in follows[at]:
        if following == goal:
            return [*walked, goal]
        if following not in walked and (found := _path(following, goal, follows, [*walked, following])):
            return found
    return []


def _unused(pipelines: Mapping[str, PipelineConfig], wiring: Wiring) -> list[str]:
    used = {id_ for p in pipelines.values() for id_ in (*p.receivers, *p.processors, *p.exporters)}
    return [
        f"{kind}s::{id_}: is configured but in no pipeline, so it is not started"
        for kind, group in wiring.items()
        for id_ in group
        if id_ not in used
    ]
