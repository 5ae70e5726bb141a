"""The hourly roll-up: what it sums, by which dimensions, and how it is kept equal to the lines."""

# ruff: noqa: S608 - names are constants of this package, values are parameters

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from otel_carbon.ledger.columns import COLUMN_NAMES, GUESS, MEDIA, QUANTITIES, TOKENS, bounds_of
from otel_carbon.model import MOST_CALLS_STOOD_FOR

__all__ = [
    "COUNTS",
    "DIMENSIONS",
    "HOUR_SQL",
    "LINE_COUNTS",
    "LINE_DIMENSIONS",
    "SUMS",
    "dimension_sql",
    "hour_of",
    "hourly_from_lines_sql",
    "upsert_hourly_sql",
    "upserts",
]

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "provider": ("provider",),
    "model": ("normalised_model", "model", "request_model"),
    "operation": ("operation",),
    "service": ("service",),
    "environment": ("environment",),
    "tenant": ("tenant",),
    "project": ("project",),
    "workload": ("workload",),
    "agent": ("agent",),
    "region": ("region",),
    "zone": ("grid_zone",),
    "confidence": ("confidence",),
    "source": ("source",),
    "factor_set": ("factor_set",),
    "factor": ("factor_id",),
    "grid_source": ("grid_source",),
    "status": ("status",),
    "scope": ("ghg_scope",),
    "category": ("ghg_category",),
    "accounting_reason": ("ghg_reason",),
    "market_source": ("market_based_source",),
}
"""Dimension of the roll-up -> the columns of a line it comes from; the first that is known."""

LINE_DIMENSIONS: dict[str, tuple[str, ...]] = {"user": ("user",), "conversation": ("conversation",)}
"""Dimensions with so many values that a roll-up by them would be as long as the book: only lines have them."""

SUMS = ("calls", *TOKENS, *MEDIA, *(name for quantity in QUANTITIES for name in bounds_of(quantity)))
"""Columns that the roll-up adds up. A sum is NULL where no line has a value."""

COUNTS = ("counted", "sampled_calls", "sampling_refused", "claims_differ", "guessed_usage")
"""`counted`: lines, reversals negative. Of these, `sampled_calls` stand for more than one call,
`sampling_refused` claim to stand for implausibly many, in `claims_differ` an earlier stage's claim is not what the
ledger came to, and in `guessed_usage` the token counts are the emitter's own guess."""

_HOUR_CHARACTERS = 13  # 2026-11-23T20, which is stored as 2026-11-23T20:00Z
_HOUR_END = ":00Z"
_MOST = f"{MOST_CALLS_STOOD_FOR:.1f}"
_SIGN = "CASE WHEN reverses_seq IS NULL THEN 1 ELSE -1 END"
LINE_COUNTS = {
    "counted": _SIGN,
    "sampled_calls": f"CASE WHEN adjusted_count > 1 AND adjusted_count <= {_MOST} THEN {_SIGN} ELSE 0 END",
    "sampling_refused": f"CASE WHEN adjusted_count > {_MOST} THEN {_SIGN} ELSE 0 END",
    "claims_differ": f"CASE WHEN claim_differs = 1 THEN {_SIGN} ELSE 0 END",
    "guessed_usage": f"CASE WHEN data_tier = '{GUESS}' THEN {_SIGN} ELSE 0 END",
}
"""SQL expression over a line that gives its part of each of `COUNTS`."""

HOUR_SQL = f"substr(occurred_at, 1, {_HOUR_CHARACTERS}) || '{_HOUR_END}'"
"""SQL expression over a table with `occurred_at` that gives the hour as the roll-ups store it."""

_INDEX = {name: index for index, name in enumerate(COLUMN_NAMES)}
_OCCURRED_AT = _INDEX["occurred_at"]
_ADJUSTED_COUNT = _INDEX["adjusted_count"]
_REVERSES_SEQ = _INDEX["reverses_seq"]
_CLAIM_DIFFERS = _INDEX["claim_differs"]
_DATA_TIER = _INDEX["data_tier"]
_DIMENSION_INDEXES = tuple(tuple(_INDEX[name] for name in names) for names in DIMENSIONS.values())
_columns_of_dimensions = itemgetter(*(index for indexes in _DIMENSION_INDEXES for index in indexes))
_FIRST_SUM, _LAST_SUM = _INDEX["calls"], _INDEX[SUMS[-1]] + 1


def dimension_sql(name: str) -> str:
    """Return the SQL expression over `lines` that gives a dimension as the roll-up stores it ('' for unknown)."""
    columns = ", ".join(f'"{column}"' for column in (DIMENSIONS | LINE_DIMENSIONS)[name])
    return f"COALESCE({columns}, '')"


def hour_of(occurred_at: str) -> str:
    """Return the hour that a time belongs to, as the roll-ups store it."""
    return occurred_at[:_HOUR_CHARACTERS] + _HOUR_END


def hourly_from_lines_sql() -> str:
    """Return the query over all lines that gives exactly what `hourly` must hold."""
    dimensions = ", ".join(f"{dimension_sql(name)} AS {name}" for name in DIMENSIONS)
    sums = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
    counts = ", ".join(f"SUM({LINE_COUNTS[name]}) AS {name}" for name in COUNTS)
    keys = ", ".join(str(number + 2) for number in range(len(DIMENSIONS)))
    return f"SELECT {HOUR_SQL} AS hour, {dimensions}, {counts}, {sums} FROM lines GROUP BY 1, {keys}"


def upsert_hourly_sql() -> str:
    """Return the statement that adds one group of new lines to the roll-up."""
    keys = ("hour", *DIMENSIONS)
    columns = (*keys, *COUNTS, *SUMS)
    added = [f"{name} = hourly.{name} + excluded.{name}" for name in (*COUNTS, "calls")]
    added += [
        f"{name} = CASE WHEN excluded.{name} IS NULL THEN hourly.{name}"
        f" ELSE COALESCE(hourly.{name}, 0) + excluded.{name} END"
        for name in SUMS
        if name != "calls"
    ]
    return (
        f"INSERT INTO hourly ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(added)}"
    )


def upserts(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return the parameters of `upsert_hourly_sql` for these new lines, one tuple per group."""
    groups: dict[tuple[Any, ...], list[Sequence[Any]]] = {}
    for row in rows:
        # Two C-speed look-ups per line; the group's dimensions are worked out once.
        groups.setdefault((row[_OCCURRED_AT][:_HOUR_CHARACTERS], _columns_of_dimensions(row)), []).append(row)
    return [(*_key(group[0]), *_counts(group), *_sums(group)) for group in groups.values()]


def _key(row: Sequence[Any]) -> tuple[str, ...]:
    return (
        hour_of(row[_OCCURRED_AT]),
        *[next((row[i] for i in indexes if row[i] is not None), "") for indexes in _DIMENSION_INDEXES],
    )


def _counts(group: Sequence[Sequence[Any]]) -> tuple[int, int, int, int, int]:
    counted = sampled = refused = differing = guessed = 0
    for row in group:
        sign = 1 if row[_REVERSES_SEQ] is None else -1
        counted += sign
        if row[_ADJUSTED_COUNT] > MOST_CALLS_STOOD_FOR:
            refused += sign
        elif row[_ADJUSTED_COUNT] > 1.0:
            sampled += sign
        differing += sign if row[_CLAIM_DIFFERS] == 1 else 0
        guessed += sign if row[_DATA_TIER] == GUESS else 0
    return counted, sampled, refused, differing, guessed


def _sums(group: Sequence[Sequence[Any]]) -> list[float | None]:
    return [_sum(values) for values in zip(*(row[_FIRST_SUM:_LAST_SUM] for row in group), strict=True)]


def _sum(values: tuple[float | None, ...]) -> float | None:
    unknown = values.count(None)
    if not unknown:
        return sum(values)  # type: ignore[arg-type]  # mypy does not narrow the elements of a tuple
    if unknown == len(values):
        return None
    known = [value for value in values if value is not None]
    return sum(known)
