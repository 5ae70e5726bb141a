"""Adding up the rows that the ledger gives: linearly, and the same whatever the order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_carbon.ledger.columns import bounds_of
from otel_carbon.model import Interval, Status

__all__ = ["Rows", "interval_of", "is_estimated", "rounded", "sum_of", "whole"]

Rows = Sequence[Mapping[str, Any]]

# The order of adding changes the last digits of a sum; a report must not depend on it.
_DIGITS = 12


def sum_of(values: Iterable[float | None]) -> float | None:
    """Return the sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def interval_of(rows: Rows, quantity: str) -> Interval | None:
    """Return the sum of a quantity; None where calls were estimated and their factor sets do not give it."""
    estimated = any(is_estimated(row) for row in rows)
    low, central, high = (sum_of(row[column] for row in rows) for column in bounds_of(quantity))
    if low is None or central is None or high is None:
        return None if estimated else Interval.exact(0.0)
    if not estimated:  # what is left of lines that were taken back
        return Interval.exact(0.0)
    middle = max(rounded(central), 0.0)
    return Interval(min(max(rounded(low), 0.0), middle), middle, max(rounded(high), middle))


def is_estimated(row: Mapping[str, Any]) -> bool:
    """Return whether the calls of a row have an estimate."""
    return bool(row["by_status"] == Status.ESTIMATED.value)


def rounded(value: float) -> float:
    """Return a sum to the digits that do not depend on the order of adding."""
    return float(f"{value:.{_DIGITS}g}")


def whole(value: float) -> int | float:
    """Return a number of calls: whole where sampling left no fraction."""
    return int(value) if value.is_integer() else rounded(value)
