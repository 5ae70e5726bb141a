"""Calls and ledgers that several test files need."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.columns import COLUMN_NAMES
from otel_carbon.model import Attribution, Call, Items, Mark, Sighting, SpanIdentity, Usage

# 2026-11-23T20:00:00Z, inside the validity of the default factor set
EIGHT_O_CLOCK = 1_795_464_000_000_000_000
SECOND = 1_000_000_000
USAGE = Usage(uncached_input_tokens=700, cache_read_tokens=500, visible_output_tokens=281, reasoning_tokens=64)


@cache
def estimator() -> Estimator:
    return Estimator(FactorTables.bundled())


def open_ledger(path: Path) -> Ledger:
    return Ledger.open(path, estimator=estimator())


def sighting(
    number: int,
    *,
    usage: Usage | None = USAGE,
    model: str | None = "gpt-4o",
    provider: str | None = "openai",
    response_id: str | None = None,
    failed: bool = False,
    trace: int = 1,
    parent: int | None = None,
    start_s: float = 0.0,
    duration_s: float = 1.0,
    mark: Mark | None = None,
    adjusted_count: float = 1.0,
    scope: str | None = None,
    items: Items | None = None,
    **attribution: Any,
) -> Sighting:
    """Return the sighting of call `number`; everything else is the same for all."""
    started = EIGHT_O_CLOCK + int(start_s * SECOND)
    call = Call(
        provider=provider,
        model=model,
        request_model=model,
        usage=usage,
        failed=failed,
        at_unix_nano=started,
        response_id=response_id,
        items=items,
    )
    return Sighting(
        identity(number, trace, parent),
        started,
        started + int(duration_s * SECOND),
        Attribution(**({"service": "api"} | attribution)),
        call,
        mark,
        adjusted_count,
        scope,
    )


def parent_sighting(number: int, *, trace: int = 1) -> Sighting:
    return Sighting(identity(number, trace), EIGHT_O_CLOCK, EIGHT_O_CLOCK + SECOND, Attribution(service="api"), None)


def identity(number: int, trace: int = 1, parent: int | None = None) -> SpanIdentity:
    return SpanIdentity(f"{trace:032x}", f"{number:016x}", f"{parent:016x}" if parent is not None else "")


def rows(ledger: Ledger, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with ledger.snapshot() as connection:
        return connection.execute(query, values).fetchall()


def as_dict(ledger: Ledger, seq: int) -> dict[str, Any]:
    """Return one line by column name."""
    return dict(zip(COLUMN_NAMES, rows(ledger, "SELECT * FROM lines WHERE seq = ?", seq)[0], strict=True))
