"""The addresses that a config listens on, wherever in it they stand."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, cast

from otel_carbon.gateway.problems import Problems
from otel_carbon.gateway.service_config import ServiceConfig
from otel_carbon.pipeline.component import Kind
from otel_carbon.pipeline.endpoint import Endpoint, parse_endpoint
from otel_carbon.security.guard import Listener

__all__ = ["check_addresses", "listeners", "parts"]

_KEYS = frozenset({"endpoint", "tls", "auth", "allow_unauthenticated"})
_NO_HOST = ("0.0.0.0", "::")  # noqa: S104  looked for, not listened on


def parts(configs: Mapping[Kind, Mapping[str, Any]], service: ServiceConfig) -> Iterator[tuple[str, Any]]:
    """Yield every map of the components in use, and `service::web`, with its YAML path. `configs` is by kind and id."""
    yield "service::web", service.web
    used = {id_ for wanted in service.pipelines.values() for id_ in (*wanted.receivers, *wanted.exporters)}
    for kind, group in configs.items():
        for id_, config in group.items():
            if id_ in used:
                yield from _parts(f"{kind}s::{id_}", config)


def listeners(configs: Mapping[Kind, Mapping[str, Any]], service: ServiceConfig) -> Iterator[tuple[str, Listener]]:
    """Yield every part that listens, with its YAML path."""
    for path, part in parts(configs, service):
        if {field.name for field in dataclasses.fields(part)} >= _KEYS and part.endpoint is not None:
            yield path, cast("Listener", part)


def check_addresses(configs: Mapping[Kind, Mapping[str, Any]], service: ServiceConfig, problems: Problems) -> None:
    """Note every address that is listened on twice."""
    found = [(path, parse_endpoint(one.endpoint or "", path)) for path, one in listeners(configs, service)]
    for (path, endpoint), (other, another) in combinations(found, 2):
        if _collide(endpoint, another):
            problems.add(
                f"{other}::endpoint",
                f"{another} is taken by {path}::endpoint ({endpoint}); give each a port of its own",
            )


def _parts(path: str, config: Any) -> Iterator[tuple[str, Any]]:
    if not dataclasses.is_dataclass(config):
        return
    yield path, config
    for field in dataclasses.fields(config):
        yield from _parts(f"{path}::{field.name}", getattr(config, field.name))


def _collide(one: Endpoint, other: Endpoint) -> bool:
    if one.port != other.port or one.port == 0:
        return False
    host, another = _host(one), _host(other)
    if host == another:
        return True
    same_family = (":" in host) == (":" in another)
    return same_family and any(each in _NO_HOST for each in (host, another))


def _host(endpoint: Endpoint) -> str:
    host = endpoint.host.lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "127.0.0.1" if host == "localhost" else host
