"""Rows of a dialect table, checked. Every function raises ConfigError that names the table, the key and the fix."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.spans.rules import (
    FIELDS,
    REASONINGS,
    Accounting,
    Dialect,
    Guess,
    HardCodedHost,
    StreamLog,
    Wrapper,
)

__all__ = [
    "accounting",
    "dialect",
    "document_of",
    "guesses",
    "hard_coded_hosts",
    "mapping",
    "refuse_unknown",
    "rows",
    "text_mapping",
    "texts",
    "wrappers",
]

_SCHEMA = 1
_DIALECT = {
    "name",
    "title",
    "extends",
    "scopes",
    "markers",
    "content",
    "fields",
    "calls",
    "parents",
    "without_operation",
    "stream_log",
    "marked_as_base",
}
_ACCOUNTING = {"scopes", "dialects", "providers", "models", "keys", "cache_in_input", "reasoning", "note"}
_WRAPPER = {"scopes", "operations", "without", "note"}
_GUESS = {"scopes", "providers", "operations", "values", "without", "note"}
_HARD_CODED = {"scopes", "hosts", "note"}
_STREAM_LOG = {"key", "value", "duration_s"}


def dialect(row: Mapping[str, Any], known: tuple[Dialect, ...], table: str) -> Dialect:
    """Return a dialect, with the rows of the one that it extends appended."""
    name = row.get("name")
    where = f"{table}: dialect {name!r}"
    refuse_unknown(row, _DIALECT, where)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: name is missing")
    base = _base(row.get("extends"), known, where)
    fields = mapping(row, "fields", where)
    refuse_unknown(fields, set(FIELDS), f"{where}: fields")
    markers = texts(row, "markers", where)
    if not markers:
        raise ConfigError(f"{where}: markers is empty, name at least one key that is on every span of the dialect")
    return Dialect(
        name=name,
        title=str(row.get("title", name)),
        extends=base.name,
        scopes=texts(row, "scopes", where),
        markers=markers,
        content=_joined(texts(row, "content", where), base.content),
        fields={key: _joined(texts(fields, key, where), base.fields[key]) for key in FIELDS},
        calls={**base.calls, **{key.lower(): value for key, value in text_mapping(row, "calls", where).items()}},
        parents=base.parents.union(value.lower() for value in texts(mapping(row, "parents", where), "values", where)),
        without_operation=str(row.get("without_operation", base.without_operation)),
        stream_log=_stream_log(row, where) or base.stream_log,
        marked_as_base=_flag(row, "marked_as_base", where),
    )


def accounting(document: Mapping[str, Any], table: str) -> tuple[Accounting, ...]:
    """Return the rows about what counts contain."""
    where = f"{table}: accounting"
    return tuple(_accounting(row, where) for row in rows(document, "accounting", table))


def wrappers(document: Mapping[str, Any], table: str) -> tuple[Wrapper, ...]:
    """Return the rows about spans that only contain a call."""
    where = f"{table}: wrapper"
    found: list[Wrapper] = []
    for row in rows(document, "wrapper", table):
        refuse_unknown(row, _WRAPPER, where)
        without = texts(row, "without", where)
        if not without:
            raise ConfigError(f"{where}: without is empty, name the keys that a real call has")
        operations = frozenset(texts(row, "operations", where))
        found.append(Wrapper(texts(row, "scopes", where), operations, without, str(row.get("note", ""))))
    return tuple(found)


def document_of(toml: str, known: set[str], table: str) -> dict[str, Any]:
    """Return a table of this schema as a document.

    Raises:
        ConfigError: it is no TOML, has an unknown key, or is of another schema.
    """
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{table}: not TOML: {error}") from error
    refuse_unknown(document, known, table)
    if document.get("schema") != _SCHEMA:
        raise ConfigError(f"{table}: schema is {document.get('schema')!r}, write schema = {_SCHEMA}")
    return document


def guesses(document: Mapping[str, Any], table: str) -> tuple[Guess, ...]:
    """Return the rows about counts that the emitter guessed."""
    where = f"{table}: guess"
    found: list[Guess] = []
    for row in rows(document, "guess", table):
        refuse_unknown(row, _GUESS, where)
        scopes = texts(row, "scopes", where)
        if not scopes:
            raise ConfigError(f"{where}: scopes is empty, a guess is a habit of one emitter")
        values = mapping(row, "values", where)
        if not all(isinstance(item, str | int) for item in values.values()):
            raise ConfigError(f"{where}: every value of values has to be a string, a whole number or a boolean")
        found.append(
            Guess(
                scopes=scopes,
                providers=frozenset(texts(row, "providers", where)),
                operations=frozenset(texts(row, "operations", where)),
                values=dict(values),
                without=texts(row, "without", where),
                note=str(row.get("note", "")),
            )
        )
    return tuple(found)


def hard_coded_hosts(hosts: Mapping[str, Any], table: str) -> tuple[HardCodedHost, ...]:
    """Return the rows about hosts that are written whatever was called."""
    where = f"{table}: hosts.hard_coded"
    found: list[HardCodedHost] = []
    for row in rows(hosts, "hard_coded", f"{table}: hosts"):
        refuse_unknown(row, _HARD_CODED, where)
        names = frozenset(texts(row, "hosts", where))
        found.append(HardCodedHost(texts(row, "scopes", where), names, str(row.get("note", ""))))
    return tuple(found)


def refuse_unknown(row: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise for a key that means nothing."""
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}, known are {', '.join(sorted(known))}")


def rows(document: Mapping[str, Any], key: str, where: str) -> tuple[Mapping[str, Any], ...]:
    """Return an array of tables."""
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ConfigError(f"{where}: write {key} as [[{key}]]")
    return tuple(found)


def mapping(row: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return a table."""
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key} has to be a table")
    return value


def text_mapping(row: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    """Return a table of texts."""
    value = mapping(row, key, where)
    if not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: every value of {key} has to be a string")
    return dict(value)


def texts(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """Return a list of texts."""
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} has to be a list of strings")
    return tuple(value)


def _base(extends: Any, known: tuple[Dialect, ...], where: str) -> Dialect:
    if extends is None:
        return Dialect("", "", "", (), (), (), dict.fromkeys(FIELDS, ()), {}, frozenset(), "")
    for each in known:
        if each.name == extends:
            return each
    raise ConfigError(f"{where}: extends names the unknown dialect {extends!r}, it has to stand above")


def _stream_log(row: Mapping[str, Any], where: str) -> StreamLog | None:
    written = text_mapping(row, "stream_log", where)
    if not written:
        return None
    if written.keys() != _STREAM_LOG:
        raise ConfigError(f"{where}: stream_log needs {', '.join(sorted(_STREAM_LOG))} and nothing else")
    return StreamLog(**written)


def _flag(row: Mapping[str, Any], key: str, where: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {key} has to be true or false")
    return value


def _accounting(row: Mapping[str, Any], where: str) -> Accounting:
    refuse_unknown(row, _ACCOUNTING, where)
    if not isinstance(row.get("cache_in_input"), bool | None):
        raise ConfigError(f"{where}: cache_in_input has to be true or false")
    if row.get("reasoning", "inside") not in REASONINGS:
        raise ConfigError(f"{where}: reasoning has to be one of {', '.join(REASONINGS)}")
    return Accounting(
        scopes=texts(row, "scopes", where),
        dialects=frozenset(texts(row, "dialects", where)),
        providers=frozenset(texts(row, "providers", where)),
        models=texts(row, "models", where),
        keys=texts(row, "keys", where),
        cache_in_input=row.get("cache_in_input"),
        reasoning=row.get("reasoning"),
        note=str(row.get("note", "")),
    )


def _joined(own: tuple[str, ...], inherited: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*own, *inherited)))
