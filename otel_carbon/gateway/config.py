"""The gateway's config: the Collector's shape, checked as a whole before anything is built."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.binding import bind
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.listeners import check_addresses
from otel_carbon.gateway.overrides import NO_OVERRIDES, Overrides, overridden
from otel_carbon.gateway.problems import Problems, suggestion
from otel_carbon.gateway.service_config import ServiceConfig
from otel_carbon.gateway.topology import check_pipelines
from otel_carbon.gateway.yaml_source import load_yaml, substitute
from otel_carbon.pipeline.component import Factory, Kind

__all__ = ["ComponentConfig", "GatewayConfig", "check_fragment", "parse_config", "read_config"]

_SECTIONS = {
    "receivers": Kind.RECEIVER,
    "processors": Kind.PROCESSOR,
    "exporters": Kind.EXPORTER,
    "connectors": Kind.CONNECTOR,
}
_NOT_NEEDED = {
    (Kind.PROCESSOR, "batch"): "is not needed: exporters batch from the journal; take it out here and in the pipelines",
}
"""What a config of a Collector may bring along, and why there is none."""
_NOT_A_CONFIG = f"must be a map with {', '.join(_SECTIONS)} and service"


@dataclass(frozen=True, slots=True)
class ComponentConfig:
    """A component as it is configured: its factory and an instance of the factory's config."""

    factory: Factory[Any]
    config: Any


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """A config that has been checked: every id is known, every signal fits, nothing goes in circles."""

    components: Mapping[Kind, Mapping[str, ComponentConfig]]
    service: ServiceConfig
    warnings: tuple[str, ...] = ()


def read_config(
    path: Path, environ: Mapping[str, str], catalogue: Catalogue, overrides: Overrides = NO_OVERRIDES
) -> GatewayConfig:
    """Return the config in a file.

    Raises:
        ConfigError: the file cannot be read or is wrong; the message holds every problem with its YAML path.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; write the config in UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_config(text, environ, catalogue, source=str(path), overrides=overrides)


def parse_config(
    text: str,
    environ: Mapping[str, str],
    catalogue: Catalogue,
    *,
    source: str,
    overrides: Overrides = NO_OVERRIDES,
) -> GatewayConfig:
    """Return the config that a YAML text says.

    Raises:
        ConfigError: it is wrong; the message holds every problem with its YAML path, after `source`.
    """
    problems = Problems()
    try:
        raw = substitute(load_yaml(text), environ, "", problems)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: is nested too deep") from error
    config = _Reader(catalogue, problems).read(overridden(raw, overrides))
    problems.raise_if_any(source)
    assert config is not None
    return config


def check_fragment(text: str, environ: Mapping[str, str] = os.environ, *, source: str = "fragment") -> None:
    """Check a piece of a config, as documents show it: pipelines may be missing, what stands there must be right.

    Raises:
        ConfigError: it is wrong.
    """
    problems = Problems()
    raw = substitute(load_yaml(text), environ, "", problems)
    if isinstance(raw, dict) and "pipelines" in (raw.get("service") or {}):
        parse_config(text, environ, Catalogue.bundled(), source=source)
        return
    reader = _Reader(Catalogue.bundled(), problems)
    if isinstance(raw, dict):
        reader.components(raw)
        reader.service({"pipelines": {}, **(raw.get("service") or {})})
    else:
        problems.add("", _NOT_A_CONFIG)
    problems.raise_if_any(source)


class _Reader:
    """Walks the sections of a config and notes what is wrong."""

    def __init__(self, catalogue: Catalogue, problems: Problems) -> None:
        self._catalogue = catalogue
        self._problems = problems
        self._warnings: list[str] = []

    def read(self, raw: Any) -> GatewayConfig | None:
        if not isinstance(raw, dict):
            self._problems.add("", _NOT_A_CONFIG)
            return None
        components = self.components(raw)
        service = self.service(raw.get("service"))
        if service is None:
            return None
        wiring = {kind: {id_: found.factory for id_, found in group.items()} for kind, group in components.items()}
        self._warnings += check_pipelines(service.pipelines, wiring, self._problems)
        configs = {kind: {id_: found.config for id_, found in group.items()} for kind, group in components.items()}
        check_addresses(configs, service, self._problems)
        return GatewayConfig(components, service, tuple(self._warnings))

    def components(self, raw: dict[Any, Any]) -> dict[Kind, dict[str, ComponentConfig]]:
        self._check_sections(raw)
        return {kind: self._group(section, raw.get(section)) for section, kind in _SECTIONS.items()}

    def _check_sections(self, raw: dict[Any, Any]) -> None:
        known = {*_SECTIONS, "service"}
        for section in raw:
            if section == "extensions":
                self._problems.add("extensions", "is not supported; health is served by service::web, at /healthz")
            elif section not in known:
                self._problems.add(str(section), f"unknown section; {suggestion(str(section), known)}")

    def service(self, raw: Any) -> ServiceConfig | None:
        if isinstance(raw, dict) and "extensions" in raw:
            self._problems.add("service::extensions", "is not supported; health is served by service::web, at /healthz")
            raw = {key: value for key, value in raw.items() if key != "extensions"}
        bound = bind(ServiceConfig, raw, "service", self._problems)
        return bound if isinstance(bound, ServiceConfig) else None

    def _group(self, section: str, raw: Any) -> dict[str, ComponentConfig]:
        if raw is not None and not isinstance(raw, dict):
            self._problems.add(section, "must be a map from component to its config")
            return {}
        found = {str(key): self._component(section, str(key), value) for key, value in (raw or {}).items()}
        return {id_: component for id_, component in found.items() if component is not None}

    def _component(self, section: str, id_: str, raw: Any) -> ComponentConfig | None:
        kind, path = _SECTIONS[section], f"{section}::{id_}"
        type_, slash, name = id_.partition("/")
        factory = self._catalogue.find(kind, type_)
        if factory is None:
            known = suggestion(type_, self._catalogue.types(kind))
            self._problems.add(path, _NOT_NEEDED.get((kind, type_), f"unknown {kind} type; {known}"))
            return None
        if slash and not name:
            self._problems.add(path, f"a name must follow the slash, as in {type_}/main")
        if type_ in factory.aliases:
            self._warnings.append(f"{path}: the type '{type_}' is deprecated; write '{factory.type}'")
        return ComponentConfig(factory, bind(factory.config, raw, path, self._problems))
