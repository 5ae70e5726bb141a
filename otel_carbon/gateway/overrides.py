"""What the command line says beats what the config says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["NO_OVERRIDES", "OFF", "Overrides", "listen_overrides", "overridden"]

Overrides = Mapping[tuple[str, ...], str]
"""Keys from the top of the config to a value."""

NO_OVERRIDES: Overrides = MappingProxyType({})
OFF = "off"
"""The value that turns a part off: the map that holds it goes."""

_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "grpc": ("receivers", "otlp", "protocols", "grpc", "endpoint"),
        "http": ("receivers", "otlp", "protocols", "http", "endpoint"),
        "web": ("service", "web", "endpoint"),
        "workers": ("service", "workers"),
    }
)
_PROTOCOLS = ("grpc", "http")


def listen_overrides(addresses: Mapping[str, str | None]) -> Overrides:
    """Return the overrides for `grpc`, `http`, `web` and `workers`; None leaves the config as it is."""
    return {_KEYS[name]: address for name, address in addresses.items() if address is not None}


def overridden(raw: Any, overrides: Overrides) -> Any:
    """Return a config, as YAML gives it, with the overrides in it. Maps on the way are made where they are missing."""
    for keys, value in overrides.items():
        raw = _with(raw, keys, value)
    return raw


def _with(raw: Any, keys: tuple[str, ...], value: str) -> Any:
    if raw is not None and not isinstance(raw, dict):
        return raw  # the check of the config says what is wrong with it
    found: dict[Any, Any] = dict(raw or {})
    if len(keys) == 1:
        found[keys[0]] = None if value == OFF else value
    elif value == OFF and keys[0] in _PROTOCOLS:
        found.pop(keys[0], None)
    else:
        found[keys[0]] = _with(found.get(keys[0]), keys[1:], value)
    return found
