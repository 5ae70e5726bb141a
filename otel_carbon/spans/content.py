"""Tells content from everything else by key, scope and event name. Pure, and shared by all threads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from otel_carbon.errors import ConfigError
from otel_carbon.spans.content_table import ContentRow, ContentTable
from otel_carbon.spans.emitter import globs
from otel_carbon.spans.reader import SpanReader
from otel_carbon.spans.structured import SEPARATOR
from otel_carbon.spans.table import DialectTable

__all__ = ["Content", "ContentKeys", "ScopeContent"]

_MOST_REMEMBERED = 256
_MOST_KEYS = 4096
_NO_PATHS: frozenset[tuple[str, ...]] = frozenset()


class Content(Enum):
    """What of an attribute is content."""

    NONE = 0
    ALL = 1
    TEXTS = 2
    """Its texts, but for those that a dialect reads; its numbers and booleans are settings and counts."""


class ContentKeys:
    """Which attributes of spans, events and log records are content.

    What a dialect reads under exactly that key is never content: counts, models and who pays stay as they are.

    Args:
        further: keys of the user's own, written as in the table, in every scope.

    Raises:
        ConfigError: a further key is empty, or is one that is read.
    """

    def __init__(self, table: ContentTable, dialects: DialectTable, further: Iterable[str] = ()) -> None:
        self.table = table
        self.read = SpanReader(dialects).keys
        self._rows = (*table.rows, ContentRow(tuple(_checked(key, self.read) for key in further)))
        self._read_texts = _texts_read(dialects)
        self._scopes: dict[str, ScopeContent] = {}
        self.keys = frozenset(key for row in self._rows if not row.scopes for key in row.keys) | set(table.inside)
        """Keys and prefixes of content in any scope."""

    @classmethod
    def bundled(cls, further: Iterable[str] = ()) -> ContentKeys:
        """Return the keys of the dialects that come with the package, and further ones."""
        return cls(ContentTable.bundled(), DialectTable.bundled(), further)

    def in_scope(self, name: str) -> ScopeContent:
        """Return what is content in an instrumentation scope of this name."""
        found = self._scopes.get(name)
        if found is None:
            if len(self._scopes) >= _MOST_REMEMBERED:
                self._scopes = {}
            rows = [row for row in self._rows if _holds(row.scopes, name)]
            endings = [ending for row in self.table.names if _holds(row.scopes, name) for ending in row.endings]
            found = self._scopes[name] = ScopeContent(self, rows, tuple(endings))
        return found

    def is_event(self, name: str) -> bool:
        """Tell whether an event or log record of this name carries messages."""
        return name.startswith(self.table.event_prefix)

    def texts_read(self, key: str) -> Collection[tuple[str, ...]]:
        """Return the paths inside an attribute of which a dialect reads the texts."""
        return self._read_texts.get(key, _NO_PATHS)


class ScopeContent:
    """What is content in one instrumentation scope. Answers are remembered: few keys come again and again."""

    __slots__ = (
        "_event_keys",
        "_events",
        "_everywhere",
        "_inside",
        "_kept",
        "_patterns",
        "_read",
        "is_special",
        "name_endings",
    )

    def __init__(self, keys: ContentKeys, rows: Sequence[ContentRow], name_endings: tuple[str, ...]) -> None:
        self.is_special = bool(name_endings) or any(row.scopes for row in rows)
        """Whether something is content only here."""
        self.name_endings = name_endings
        """How the names of spans end that are content but for this."""
        self._read = keys.read
        self._inside = frozenset(keys.table.inside)
        self._event_keys = frozenset(keys.table.event_keys)
        self._patterns = _Pattern(key for row in rows for key in row.keys)
        self._kept = _Pattern(key for row in rows for key in row.kept)
        self._everywhere: dict[bytes, Content] = {}
        self._events: dict[bytes, Content] = {}

    @property
    def known(self) -> Mapping[bytes, Content]:
        """Return what is remembered of keys on spans, for who cannot afford a call for each."""
        return self._everywhere

    def of(self, key: bytes, *, in_event: bool = False) -> Content:
        """Return what of an attribute with this key is content, on a span or, with messages, in an event."""
        known = self._events if in_event else self._everywhere
        found = known.get(key)
        if found is None:
            if len(known) >= _MOST_KEYS:
                known.clear()
            found = known[key] = self._of(key.decode("utf-8", "replace"), in_event)
        return found

    def _of(self, key: str, in_event: bool) -> Content:
        if key in self._inside:
            return Content.TEXTS
        if key in self._read:
            return Content.NONE
        if in_event and key in self._event_keys:
            return Content.ALL
        return Content.ALL if self._patterns(key) and not self._kept(key) else Content.NONE


def _holds(scopes: tuple[str, ...], scope_name: str) -> bool:
    matches = globs(scopes)
    return matches is None or matches(scope_name) is not None


def _checked(key: str, read: Collection[str]) -> str:
    if not key.strip("."):
        raise ConfigError("keys: an empty key means nothing; name an attribute, or a prefix that ends in a dot")
    if key in read:
        raise ConfigError(f"keys: '{key}' is read for the estimate or for who pays; take it out")
    return key


class _Pattern:
    """Exact keys, prefixes, and keys with stars, matched in this order."""

    __slots__ = ("_exact", "_prefixes", "_starred")

    def __init__(self, keys: Iterable[str]) -> None:
        written = tuple(keys)
        plain = [key for key in written if "*" not in key]
        self._exact = frozenset(key for key in plain if not key.endswith("."))
        self._prefixes = tuple(key for key in plain if key.endswith("."))
        starred = "|".join(_expression(key) for key in written if "*" in key)
        self._starred = re.compile(starred).fullmatch if starred else None

    def __call__(self, key: str) -> bool:
        if key in self._exact or key.startswith(self._prefixes):
            return True
        return self._starred is not None and self._starred(key) is not None


def _expression(key: str) -> str:
    rest = ".*" if key.endswith(".") else ""
    return re.escape(key).replace(r"\*", "[^.]+") + rest


def _texts_read(dialects: DialectTable) -> Mapping[str, frozenset[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    candidates = (key for dialect in dialects.dialects for keys in dialect.fields.values() for key in keys)
    for candidate in candidates:
        key, separator, path = candidate.partition(SEPARATOR)
        if separator:
            found.setdefault(key, set()).add(tuple(path.split(".")) if path else ())
    return {key: frozenset(paths) for key, paths in found.items()}
