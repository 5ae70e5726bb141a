"""What of the dialect table the statements know: which dialects, by which keys, in which scopes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from otel_carbon.collector.ottl import (
    any_of,
    attribute,
    cache,
    first_of,
    from_glob,
    is_match,
    is_one_of,
    put,
    starts_with,
)
from otel_carbon.spans import DialectTable
from otel_carbon.spans.rules import Dialect

__all__ = ["DIALECT", "DIALECTS", "LEAVE", "LEAVE_NOT", "candidates", "put_first", "read_dialects", "scope_is"]

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
    wanted = sorted(set(globs))
    beginnings = tuple(glob[:-1] for glob in wanted if glob.endswith("*") and not _is_wild(glob[:-1]))
    rest = [glob for glob in wanted if not glob.startswith(beginnings)]
    names = [glob for glob in rest if not _is_wild(glob)]
    conditions = [is_one_of("scope.name", names)] if names else []
    conditions += [starts_with("scope.name", beginning) for beginning in beginnings]
    conditions += [is_match("scope.name", from_glob(glob)) for glob in rest if glob not in names]
    return any_of(conditions)


def _is_wild(glob: str) -> bool:
    return bool(set(glob) & set("*?["))


def _is_dialect(names: Sequence[str]) -> str:
    return "" if len(names) == len(DIALECTS) else any_of(f'{DIALECT} == "{name}"' for name in names)


def put_first(target: str, table: DialectTable, field: str, otherwise: str = "") -> Iterator[str]:
    """Yield the statements that set a path to what the best key of a field holds, else to another value."""
    found = [(attribute(key), dialects) for key, dialects in candidates(table, field)]
    found += [(otherwise, "")] if otherwise else []
    for number, (dialects, run) in enumerate(groupby(found, lambda pair: pair[1])):
        yield put(target, first_of(value for value, _ in run), f"{target} == nil" if number else "", dialects)


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
