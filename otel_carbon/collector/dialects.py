"""What of the dialect table the statements know: which dialects, by which keys, in which scopes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otel_carbon.collector.ottl import cache, from_glob, is_match, words
from otel_carbon.spans import DialectTable
from otel_carbon.spans.rules import Dialect

__all__ = ["DIALECT", "DIALECTS", "LEAVE", "LEAVE_NOT", "candidates", "read_dialects", "scope_is"]

DIALECTS = ("gen_ai", "traceloop", "mistral_sdk", "litellm")
"""Dialects whose spans are read. Those of the others have texts to look into, which OTTL cannot exactly."""

DIALECT = cache("dialect")
LEAVE = cache("leave")
LEAVE_NOT = f"{LEAVE} == nil"


def read_dialects(table: DialectTable) -> list[Dialect]:
    """Return the dialects that are read, the one that all others extend first."""
    return [dialect for dialect in reversed(table.dialects) if dialect.name in DIALECTS]


def scope_is(globs: Iterable[str]) -> str:
    """Return the condition of an instrumentation scope that one of these globs matches."""
    return is_match("scope.name", "|".join(from_glob(glob) for glob in sorted(set(globs))))


def _is_dialect(names: Sequence[str]) -> str:
    return "" if len(names) == len(DIALECTS) else is_match(DIALECT, words(names))


def candidates(table: DialectTable, field: str) -> list[tuple[str, str]]:
    """Return the keys of a field, best first for every dialect, each with the condition of its dialects."""
    lists = {dialect.name: list(dict.fromkeys(dialect.fields[field])) for dialect in read_dialects(table)}
    found: list[tuple[str, str]] = []
    left = {name: keys for name, keys in lists.items() if keys}
    while left:
        key = next(
            keys[0]
            for keys in left.values()
            if all(keys[0] not in other or other[0] == keys[0] for other in left.values())
        )
        found.append((key, _is_dialect([name for name, keys in lists.items() if key in keys])))
        left = {name: rest for name, keys in left.items() if (rest := [each for each in keys if each != key])}
    return found
