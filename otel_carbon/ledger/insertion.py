"""Writing lines: an INSERT that names only the columns that have a value.

Python's sqlite3 looks for an adapter for every None that it binds, which takes several times as long as a number. Lines
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

from otel_carbon.ledger.columns import COLUMNS

__all__ = ["insert_lines"]

_Row = Sequence[Any]
_Shape = tuple[bool, ...]

_OPTIONAL = tuple(index for index, column in enumerate(COLUMNS) if not column.required)
_optional = itemgetter(*_OPTIONAL)


def insert_lines(connection: sqlite3.Connection, rows: Iterable[_Row]) -> None:
    """Write rows in table order."""
    shapes: dict[_Shape, list[_Row]] = {}
    for row in rows:
        shapes.setdefault(tuple(map(is_, _optional(row), repeat(None))), []).append(row)
    for shape, of_one_shape in shapes.items():
        sql, present = _statement(shape)
        connection.executemany(sql, map(present, of_one_shape))


@lru_cache(maxsize=1024)
def _statement(shape: _Shape) -> tuple[str, Callable[[_Row], tuple[Any, ...]]]:
    absent = {index for index, is_absent in zip(_OPTIONAL, shape, strict=True) if is_absent}
    present = [index for index in range(len(COLUMNS)) if index not in absent]
    names = ", ".join(f'"{COLUMNS[index].name}"' for index in present)
    return f"INSERT INTO lines ({names}) VALUES ({', '.join('?' * len(present))})", itemgetter(*present)
