"""A YAML map becomes the frozen `Config` of a component; the dataclass is the schema."""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.problems import Problems, suggestion
from otel_carbon.gateway.sizes import size_bytes
from otel_carbon.gateway.yaml_source import Substituted, load_yaml
from otel_carbon.security.secret import Secret

__all__ = ["bind"]

_MOST_DIGITS = 19
_MOST = 10 ** (_MOST_DIGITS - 1) - 1  # within what SQLite, gRPC and the system calls behind a setting can hold
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_PATH = re.compile(r"(?:.*_)?(?:file|filename|dir)")
_SIZE = re.compile(r"(?:.*_)?(?:size|bytes)")


class _Wrong(Exception):  # noqa: N818  never leaves this file
    """The value does not fit; the text says what would."""


def bind(config: type[Any], raw: Any, path: str, problems: Problems) -> Any:
    """Return an instance of the dataclass `config`, or None after noting in `problems` why there is none.

    A key that is left out takes the default of its field; a map that is left empty (`grpc:`) takes all of its
    defaults, as in the Collector. Sizes may be written as `64MiB`.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        problems.add(path, f"must be a map of keys, not {_kind(raw)}")
        return None
    fields = {field.name: field for field in dataclasses.fields(config) if field.init}
    hints = typing.get_type_hints(config, include_extras=False)
    complete = _known_and_complete(fields, raw, path, problems)
    values: dict[str, Any] = {}
    for name in (name for name in fields if name in raw):
        try:
            values[name] = _value(hints[name], raw[name], f"{path}::{name}", problems)
        except _Wrong as wrong:
            problems.add(f"{path}::{name}", str(wrong))
            complete = False
    if not complete or _UNUSABLE in values.values():
        return None
    return _instance(config, values, path, problems)


_UNUSABLE = object()  # a part whose problems have been noted


def _known_and_complete(
    fields: Mapping[str, dataclasses.Field[Any]], raw: Mapping[Any, Any], path: str, problems: Problems
) -> bool:
    unknown = [key for key in raw if key not in fields]
    for key in unknown:
        problems.add(f"{path}::{key}", f"unknown key; {suggestion(str(key), fields)}")
    missing = [name for name, field in fields.items() if name not in raw and _is_required(field)]
    for name in missing:
        problems.add(f"{path}::{name}", "is missing; it has no default")
    return not unknown and not missing


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _instance(config: type[Any], values: dict[str, Any], path: str, problems: Problems) -> Any:
    try:
        return config(**values)
    except (ConfigError, ValueError) as error:
        problems.add_error(path, error)
        return None


def _value(kind: Any, raw: Any, path: str, problems: Problems) -> Any:
    if kind is Any:
        return raw
    if get_origin(kind) in (Union, types.UnionType):
        return _optional(kind, raw, path, problems)
    if dataclasses.is_dataclass(kind):
        bound = bind(typing.cast("type[Any]", kind), raw, path, problems)
        return _UNUSABLE if bound is None else bound
    if get_origin(kind) is not None and get_origin(kind) is not Literal:
        return _container(kind, raw, path, problems)
    return _scalar(kind, raw, path)


def _optional(kind: Any, raw: Any, path: str, problems: Problems) -> Any:
    choices = [choice for choice in get_args(kind) if choice is not types.NoneType]
    if raw is None and types.NoneType in get_args(kind) and not dataclasses.is_dataclass(choices[0]):
        return None
    wrong = _Wrong("")
    for choice in choices:
        try:
            return _value(choice, raw, path, problems)
        except _Wrong as error:
            wrong = error
    raise wrong


def _container(kind: Any, raw: Any, path: str, problems: Problems) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if issubclass(origin, Mapping):
        if not isinstance(raw, dict):
            raise _Wrong(f"must be a map of keys, not {_kind(raw)}")
        found = {str(key): _value(arguments[1], value, f"{path}::{key}", problems) for key, value in raw.items()}
        return _UNUSABLE if _UNUSABLE in found.values() else found
    if not isinstance(raw, list):
        raise _Wrong(f"must be a list, not {_kind(raw)}")
    items = [_value(arguments[0], value, f"{path}[{index}]", problems) for index, value in enumerate(raw)]
    if _UNUSABLE in items:
        return _UNUSABLE
    return frozenset(items) if issubclass(origin, frozenset) else tuple(items)


def _scalar(kind: Any, raw: Any, path: str) -> Any:
    if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        return _choice(kind, raw)
    key = path.rpartition("::")[2]
    if kind is str:
        return _path(raw) if _PATH.fullmatch(key) else _text(raw)
    if kind is Secret:
        return _secret(raw)
    value = _plain(raw)
    if kind is bool and isinstance(value, bool):
        return value
    takes_size = _SIZE.fullmatch(key) is not None
    if kind is int and (number := _integer(value, takes_size=takes_size)) is not None:
        return number
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind in (int, float) and isinstance(value, str) and _DECIMAL.fullmatch(value):
        raise _Wrong(f"is too large a number; the most is {_MOST}")
    whole = "a whole number or a size such as 64MiB" if takes_size else "a whole number"
    expected = {bool: "true or false", int: whole, float: "a number"}
    raise _Wrong(f"must be {expected.get(kind, kind)}, not {_shown(raw)}")


def _plain(raw: Any) -> Any:
    """Return what the text of a variable or a file would be, had it been written in the config."""
    if not isinstance(raw, Substituted):
        return raw
    try:
        return load_yaml(raw)
    except ConfigError:
        return str(raw)


def _path(raw: Any) -> str:
    """Return a path. An empty one, as of a variable without a value, would be taken for the directory one is in."""
    text = _text(raw)
    if not text.strip():
        raise _Wrong("is empty; write a path, or leave the key out")
    return text


def _text(raw: Any) -> str:
    if isinstance(raw, str) and "\0" in raw:
        raise _Wrong("holds a NUL character, which no name or path can have")
    if isinstance(raw, str):
        return str(raw)
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return str(raw)
    raise _Wrong(f"must be a text, not {_shown(raw)}")


def _secret(raw: Any) -> Secret:
    try:
        return Secret(_text(raw))
    except _Wrong:
        raise _Wrong("must be a text") from None  # what stands there instead may be part of a secret


def _integer(value: Any, *, takes_size: bool) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    if _DECIMAL.fullmatch(value):  # in quotes, or from the command line
        return int(value) if len(value) < _MOST_DIGITS else None
    size = size_bytes(value) if takes_size else None
    return size if size is None or size <= _MOST else None


def _choice(kind: Any, raw: Any) -> Any:
    choices: dict[str, Any] = (
        {str(value): value for value in get_args(kind)}
        if get_origin(kind) is Literal
        else {str(member.value): member for member in kind}
    )
    if str(raw) not in choices:
        raise _Wrong(f"{_shown(raw)} is none of {_listed(choices)}")
    return choices[str(raw)]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _shown(raw: Any) -> str:
    if raw is None or isinstance(raw, dict | list):
        return _kind(raw)
    return repr(str(raw) if isinstance(raw, str) else raw)


def _kind(raw: Any) -> str:
    """Return what a value is without showing it: where a map or a list belongs, a secret may stand."""
    match raw:
        case None:
            return "nothing"
        case dict():
            return "a map"
        case list():
            return "a list"
        case str():
            return "a text"
        case _:
            return "a single value"
