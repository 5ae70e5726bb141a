"""Writing rows: an INSERT that names only the columns that have a value.

Python's sqlite3 looks for an adapter for every None that it binds, which takes several times as long as a number. Rows
of one shape lack the same columns, so they share a statement.
"""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import is_, itemgetter
from typing import Any

__all__ = ["Insertion"]

_Row = Sequence[Any]
_Shape = tuple[bool, ...]


class Insertion:
    """Writes rows of one table, whose values stand in the order of `columns`. `optional` are those that may be None."""

    def __init__(self, table: str, columns: Sequence[str], optional: Iterable[str]) -> None:
        self._table = table
        self._columns = columns
        self._indexes = tuple(sorted(columns.index(name) for name in optional))
        self._optional = itemgetter(*self._indexes)
        self._statement = lru_cache(maxsize=1024)(self._written)

    def insert(self, connection: sqlite3.Connection, rows: Iterable[_Row]) -> None:
        """Write rows."""
        shapes: dict[_Shape, list[_Row]] = {}
        for row in rows:
            shapes.setdefault(tuple(map(is_, self._optional(row), repeat(None))), []).append(row)
        for shape, of_one_shape in shapes.items():
            sql, present = self._statement(shape)
            connection.executemany(sql, map(present, of_one_shape))

    def _written(self, shape: _Shape) -> tuple[str, Callable[[_Row], tuple[Any, ...]]]:
        absent = {index for index, is_absent in zip(self._indexes, shape, strict=True) if is_absent}
        present = [index for index in range(len(self._columns)) if index not in absent]
        names = ", ".join(f'"{self._columns[index]}"' for index in present)
        values = ", ".join("?" * len(present))
        return f"INSERT INTO {self._table} ({names}) VALUES ({values})", itemgetter(*present)
