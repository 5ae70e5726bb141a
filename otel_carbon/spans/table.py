"""The dialect table: read from TOML, checked, and frozen."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.spans.media import MEDIA_FIELDS

__all__ = ["COUNTS", "FIELDS", "Accounting", "Dialect", "DialectTable"]

FIELDS = (
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "server_address",
    "region",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    *MEDIA_FIELDS,
)
"""What a dialect names keys for."""
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
"""Those of them that are token counts."""

_BUNDLED = Path(__file__).with_name("dialects.toml")
_SCHEMA = 1
_TOP = {"schema", "providers", "hosts", "dialect", "accounting"}
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
}
_ACCOUNTING = {"scopes", "providers", "models", "keys", "cache_in_input", "reasoning_in_output", "note"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of emitters names things. What it extends is already appended."""

    name: str
    title: str
    extends: str
    """The dialect whose rows are appended, or empty."""
    scopes: tuple[str, ...]
    """Globs of scope names; empty for any scope."""
    markers: tuple[str, ...]
    content: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    calls: Mapping[str, str]
    """Operation value in lower case, and the operation that is recorded."""
    parents: frozenset[str]
    without_operation: str
    """The operation of a span that names none; empty where such a span has to prove that it is a call."""


@dataclass(frozen=True, slots=True)
class Accounting:
    """What an emitter's input and output counts contain, and for which spans that is known."""

    scopes: tuple[str, ...] = ()
    providers: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    cache_in_input: bool | None = None
    reasoning_in_output: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class DialectTable:
    """Everything that is known about emitters. Dialects and accounting rows in the order they are tried."""

    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    refined_by_host: frozenset[str] = frozenset()
    host_suffixes: Mapping[str, str] = field(default_factory=dict[str, str])
    dialects: tuple[Dialect, ...] = ()
    accounting: tuple[Accounting, ...] = ()

    @classmethod
    def bundled(cls) -> DialectTable:
        """Return the table that comes with the package."""
        return cls().extended(_BUNDLED.read_text(encoding="utf-8"), name=_BUNDLED.name)

    def extended(self, toml: str, *, name: str = "dialects") -> DialectTable:
        """Return this table with the rows of a TOML text, which are tried before those that are there.

        Raises:
            ConfigError: the text is not a dialect table. The message names the table, the key and the fix.
        """
        try:
            document = tomllib.loads(toml)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{name}: not TOML: {error}") from error
        _refuse_unknown(document, _TOP, name)
        if document.get("schema") != _SCHEMA:
            raise ConfigError(f"{name}: schema is {document.get('schema')!r}, write schema = {_SCHEMA}")
        hosts = _mapping(document, "hosts", name)
        dialects = self.dialects
        for row in _rows(document, "dialect", name):
            dialects = (_dialect(row, dialects, name), *dialects)
        return DialectTable(
            providers={**self.providers, **_text_mapping(document, "providers", name)},
            refined_by_host=self.refined_by_host.union(_texts(hosts, "refines", name)),
            host_suffixes={**self.host_suffixes, **_text_mapping(hosts, "suffixes", name)},
            dialects=dialects,
            accounting=(*(_accounting(row, name) for row in _rows(document, "accounting", name)), *self.accounting),
        )


def _dialect(row: Mapping[str, Any], known: tuple[Dialect, ...], table: str) -> Dialect:
    name = row.get("name")
    where = f"{table}: dialect {name!r}"
    _refuse_unknown(row, _DIALECT, where)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: name is missing")
    base = _base(row.get("extends"), known, where)
    fields = _mapping(row, "fields", where)
    _refuse_unknown(fields, set(FIELDS), f"{where}: fields")
    markers = _texts(row, "markers", where)
    if not markers:
        raise ConfigError(f"{where}: markers is empty, name at least one key that is on every span of the dialect")
    return Dialect(
        name=name,
        title=str(row.get("title", name)),
        extends=base.name,
        scopes=_texts(row, "scopes", where),
        markers=markers,
        content=_joined(_texts(row, "content", where), base.content),
        fields={key: _joined(_texts(fields, key, where), base.fields[key]) for key in FIELDS},
        calls={**base.calls, **{key.lower(): value for key, value in _text_mapping(row, "calls", where).items()}},
        parents=base.parents.union(value.lower() for value in _texts(_mapping(row, "parents", where), "values", where)),
        without_operation=str(row.get("without_operation", base.without_operation)),
    )


def _base(extends: Any, known: tuple[Dialect, ...], where: str) -> Dialect:
    if extends is None:
        return Dialect("", "", "", (), (), (), dict.fromkeys(FIELDS, ()), {}, frozenset(), "")
    for dialect in known:
        if dialect.name == extends:
            return dialect
    raise ConfigError(f"{where}: extends names the unknown dialect {extends!r}, it has to stand above")


def _accounting(row: Mapping[str, Any], table: str) -> Accounting:
    where = f"{table}: accounting"
    _refuse_unknown(row, _ACCOUNTING, where)
    for key in ("cache_in_input", "reasoning_in_output"):
        if not isinstance(row.get(key), bool | None):
            raise ConfigError(f"{where}: {key} has to be true or false")
    return Accounting(
        scopes=_texts(row, "scopes", where),
        providers=frozenset(_texts(row, "providers", where)),
        models=_texts(row, "models", where),
        keys=_texts(row, "keys", where),
        cache_in_input=row.get("cache_in_input"),
        reasoning_in_output=row.get("reasoning_in_output"),
        note=str(row.get("note", "")),
    )


def _joined(own: tuple[str, ...], inherited: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*own, *inherited)))


def _refuse_unknown(row: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}, known are {', '.join(sorted(known))}")


def _rows(document: Mapping[str, Any], key: str, where: str) -> tuple[Mapping[str, Any], ...]:
    rows = document.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{where}: write {key} as [[{key}]]")
    return tuple(rows)


def _mapping(row: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key} has to be a table")
    return value


def _text_mapping(row: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    value = _mapping(row, key, where)
    if not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"{where}: every value of {key} has to be a string")
    return dict(value)


def _texts(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} has to be a list of strings")
    return tuple(value)
