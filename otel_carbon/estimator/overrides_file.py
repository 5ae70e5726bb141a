"""Overrides from a file: `[[override]]` rows in TOML, for applications and the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.overrides import NUMBERS, Override, check_overrides

__all__ = ["override_of", "read_overrides"]

_WORDS: Mapping[type, str] = {float: "number", str: "text"}


def read_overrides(path: str | Path) -> tuple[Override, ...]:
    """Return the `[[override]]` rows of a TOML file.

    Raises:
        ConfigError: the file cannot be read, or a row is wrong. The message names file, row and key.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    unknown = sorted(document.keys() - {"override"})
    rows = document.get("override", [])
    if unknown or not isinstance(rows, list):
        raise ConfigError(f"{path}: {unknown[0] if unknown else 'override'}: only [[override]] rows can stand here")
    overrides = tuple(override_of(f"{path}: override[{index}]", row) for index, row in enumerate(rows))
    try:
        check_overrides(overrides)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return overrides


def override_of(where: str, raw: Any) -> Override:
    """Return the row that a mapping of its keys gives.

    Raises:
        ConfigError: a key is unknown or a value cannot be used. The message is `where::key: what is wrong`.
    """
    kinds: Mapping[str, type] = {field.name: _kind_of(field.name) for field in fields(Override)}
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: must be a table of keys")
    for key, value in raw.items():
        if key not in kinds:
            raise ConfigError(f"{where}::{key}: unknown key; there are {', '.join(kinds)}")
        number = kinds[key] is float and isinstance(value, int) and not isinstance(value, bool)
        if not (number or isinstance(value, kinds[key])):
            raise ConfigError(f"{where}::{key}: must be a {_WORDS[kinds[key]]}, not {value!r}")
    try:
        values: dict[str, Any] = {key: float(raw[key]) if kinds[key] is float else raw[key] for key in raw}
        return Override(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}::{error}") from error


def _kind_of(name: str) -> type:
    return float if name in NUMBERS else str
