"""Reading the shipped tables: TOML and CSV from the package, checked for a source in every row."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.model import Interval

__all__ = ["DATA_DIRECTORY", "compiled", "interval", "number", "read_csv", "read_toml"]

DATA_DIRECTORY = Path(__file__).parent / "data"


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        FactorError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FactorError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FactorError(f"{path}: not valid TOML: {error}") from error


def read_csv(path: Path, source_ids: Container[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV table whose column `source_id` names a known source.

    Raises:
        FactorError: a row has no known source.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            source_id = row.get("source_id") or ""
            if source_id not in source_ids:
                raise FactorError(f"{path.name}, line {line}: source_id {source_id!r} is not in sources.csv")
            yield row


def number(where: str, key: str, value: object) -> float:
    """Return a finite, non-negative number.

    Raises:
        FactorError: it is not one; the message begins with `where` and names the key.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise FactorError(f"{where}: {key} is not a number: {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FactorError(f"{where}: {key} is not a number: {value!r}")
    if not math.isfinite(value) or value < 0:
        raise FactorError(f"{where}: {key} must be finite and not negative: {value!r}")
    return float(value)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern of a table, compiled when it is first needed: together they would delay every start."""
    return re.compile(pattern)


def interval(where: str, key: str, value: Mapping[str, object]) -> Interval:
    """Return `{low, central, high}` as an interval.

    Raises:
        FactorError: a bound is missing, negative, or not in order.
    """
    unknown = set(value) - {"low", "central", "high"}
    if unknown or len(value) != 3:
        raise FactorError(f"{where}: {key} needs exactly low, central and high")
    low, central, high = (number(where, f"{key}.{bound}", value[bound]) for bound in ("low", "central", "high"))
    if not low <= central <= high:
        raise FactorError(f"{where}: {key} is not in order: low {low}, central {central}, high {high}")
    return Interval(low, central, high)
