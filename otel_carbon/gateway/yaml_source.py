"""YAML as the Collector reads it: no key twice, `${env:NAME}`, `${file:PATH}` and `$$` in values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.problems import Problems

__all__ = ["Substituted", "load_yaml", "substitute"]

_REFERENCE = re.compile(r"\$(?:\$|\{([^}]*)(\}?))")
_FILE = "file:"
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")  # longer ones fit no setting, and are kept as they stand
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_QUOTE = "; quote a reference inside of { } or [ ], as '${env:NAME}'"


class Substituted(str):
    """A value that came from the environment or a file: text, but a number or a boolean where one is asked for."""

    __slots__ = ()


def load_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        ConfigError: it is not YAML, or a key stands twice; the message names the line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  derives from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        hint = _QUOTE if mark and text[: mark.index + 1].endswith("${") else ""
        raise ConfigError(f"{where}{error.problem or error.context}{hint}") from error
    except (yaml.YAMLError, ValueError, KeyError) as error:  # `!!float x` and `!!bool x` are not even caught by PyYAML
        raise ConfigError(f"not YAML: {error}") from error


def substitute(raw: Any, environ: Mapping[str, str], path: str, problems: Problems) -> Any:
    """Return the value with every `${env:NAME}`, `${env:NAME:-default}`, `${file:PATH}` and `$$` in its texts replaced.

    A value that is nothing but a reference to a file may become a map or a list: what the YAML in the file says.
    """
    if isinstance(raw, dict):
        return {
            key: substitute(value, environ, f"{path}::{key}" if path else str(key), problems)
            for key, value in raw.items()
        }
    if isinstance(raw, list):
        return [substitute(value, environ, f"{path}[{index}]", problems) for index, value in enumerate(raw)]
    if isinstance(raw, str) and "$" in raw:
        whole = _REFERENCE.fullmatch(raw)
        if whole is not None and whole[2] and whole[1].startswith(_FILE):
            return _content(_file_text(whole[1], path, problems), environ, path, problems)
        return Substituted(_REFERENCE.sub(lambda found: _value(found, environ, path, problems), raw))
    return raw


def _value(found: re.Match[str], environ: Mapping[str, str], path: str, problems: Problems) -> str:
    if found[0] == "$$":
        return "$"
    if not found[2]:
        problems.add_unresolved(path, f"'{found[0]}' has no }} at its end; close the reference, or write $$ for a $")
        return ""
    if found[1].startswith(_FILE):
        return _file_text(found[1], path, problems)
    reference = _ENV.fullmatch(found[1])
    if reference is None:
        problems.add_unresolved(
            path,
            f"'{found[0]}' is not understood; "
            "write ${env:NAME}, ${env:NAME:-default}, ${file:PATH}, or $$ for a $",
        )
        return ""
    name, default = reference.groups()
    value = environ.get(name, default) if default is None else environ.get(name) or default
    if value is None:
        problems.add_unresolved(
            path, f"the environment variable {name} is not set; set it or write ${{env:{name}:-default}}"
        )
        return ""
    return value


def _file_text(reference: str, path: str, problems: Problems) -> str:
    """Return what is in a file, without the end of its last line. Where it cannot be read, note that."""
    name = reference.removeprefix(_FILE)
    if not name.strip() or "\0" in name:
        problems.add_unresolved(path, f"{name!r} is not the name of a file; write ${{file:PATH}}")
        return ""
    try:
        return Path(name).read_text(encoding="utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        problems.add_unresolved(path, f"the file {name} is not UTF-8 text")
    except OSError as error:
        problems.add_unresolved(path, f"the file {name} cannot be read: {error.strerror}")
    return ""


def _content(text: str, environ: Mapping[str, str], path: str, problems: Problems) -> Any:
    """Return the map or list that a file holds, or its text as it stands: a password need not be YAML."""
    try:
        parsed = load_yaml(text)
    except ConfigError:
        return Substituted(text)
    return substitute(parsed, environ, path, problems) if isinstance(parsed, dict | list) else Substituted(text)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one map, where PyYAML would silently take the last."""


def _integer(_loader: _Loader, node: yaml.ScalarNode) -> int | str:
    """Return a number that is written as people write one, and what YAML 1.1 would make one of as it stands.

    To YAML 1.1 the token 0123 is 83, 1_000 is 1000 and 1:30 is 90.
    """
    text = str(node.value)
    return int(text) if _DECIMAL.fullmatch(text) else text


def _text(_loader: _Loader, node: yaml.ScalarNode) -> str:
    """Return a date as it is written: no key asks for one, and 2024-13-45 is none."""
    return str(node.value)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, dict | list):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a name", key_node.start_mark)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
