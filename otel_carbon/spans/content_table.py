"""Where content stands: the lists of the dialects and of content.toml as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.spans import table_rows
from otel_carbon.spans.table import DialectTable

__all__ = ["ContentRow", "ContentTable", "NameRow"]

_BUNDLED = Path(__file__).with_name("content.toml")
_TOP = {"schema", "content", "inside", "name", "events"}
_ROW = {"scopes", "keys", "except", "note"}
_INSIDE = {"keys", "note"}
_NAME = {"scopes", "endings", "note"}
_EVENTS = {"prefix", "keys"}


@dataclass(frozen=True, slots=True)
class ContentRow:
    """Keys of content: exact, prefixes that end in a dot, or with a star for one name between dots."""

    keys: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    """Globs of scope names; empty for any scope."""
    kept: tuple[str, ...] = ()
    """Keys among them that are no content, written in the same way."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NameRow:
    """Spans whose names are content, by scope and by how the names end."""

    scopes: tuple[str, ...]
    endings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContentTable:
    """Every place where content is known to stand."""

    rows: tuple[ContentRow, ...]
    inside: tuple[str, ...]
    """Attributes that hold more than content: in them only texts are."""
    names: tuple[NameRow, ...]
    event_prefix: str
    event_keys: tuple[str, ...]

    @classmethod
    def bundled(cls) -> ContentTable:
        """Return the table that comes with the package."""
        return cls.of(DialectTable.bundled(), _BUNDLED.read_text(encoding="utf-8"), _BUNDLED.name)

    @classmethod
    def of(cls, dialects: DialectTable, toml: str, name: str = "content") -> ContentTable:
        """Return the lists of the dialects and of a TOML text as one table.

        Raises:
            ConfigError: the text is not such a table. The message names the table, the key and the fix.
        """
        document = table_rows.document_of(toml, _TOP, name)
        events = table_rows.mapping(document, "events", name)
        table_rows.refuse_unknown(events, _EVENTS, f"{name}: events")
        return cls(
            (*_of_dialects(dialects), *(_row(row, name) for row in table_rows.rows(document, "content", name))),
            tuple(key for row in table_rows.rows(document, "inside", name) for key in _inside(row, name)),
            tuple(_name(row, name) for row in table_rows.rows(document, "name", name)),
            _prefix(events, name),
            table_rows.texts(events, "keys", f"{name}: events"),
        )


def _of_dialects(dialects: DialectTable) -> list[ContentRow]:
    """Return what each dialect adds to the one that it extends, limited to its scopes."""
    by_name = {dialect.name: dialect for dialect in dialects.dialects}
    found: list[ContentRow] = []
    for dialect in dialects.dialects:
        inherited = by_name[dialect.extends].content if dialect.extends else ()
        own = tuple(key for key in dialect.content if key not in inherited)
        if own:
            found.append(ContentRow(own, dialect.scopes, note=dialect.title))
    return found


def _row(row: Mapping[str, Any], name: str) -> ContentRow:
    where = f"{name}: content"
    table_rows.refuse_unknown(row, _ROW, where)
    return ContentRow(
        _keys(row, where),
        table_rows.texts(row, "scopes", where),
        table_rows.texts(row, "except", where),
        str(row.get("note", "")),
    )


def _inside(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    where = f"{name}: inside"
    table_rows.refuse_unknown(row, _INSIDE, where)
    return _keys(row, where)


def _name(row: Mapping[str, Any], name: str) -> NameRow:
    where = f"{name}: name"
    table_rows.refuse_unknown(row, _NAME, where)
    found = NameRow(table_rows.texts(row, "scopes", where), table_rows.texts(row, "endings", where))
    if not found.scopes or not found.endings:
        raise ConfigError(f"{where}: scopes and endings are both needed, a name alone tells nothing")
    return found


def _keys(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    keys = table_rows.texts(row, "keys", where)
    if not keys or not all(keys):
        raise ConfigError(f"{where}: keys is empty, name at least one key")
    return keys


def _prefix(events: Mapping[str, Any], name: str) -> str:
    prefix = events.get("prefix")
    if not isinstance(prefix, str) or not prefix:
        raise ConfigError(f"{name}: events: prefix is missing, write how the names of events with content begin")
    return prefix
