"""Three counts of the same calls: what the provider served, what the ledger holds, what the counters say."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession
from prometheus_client.parser import text_string_to_metric_families

from otel_carbon.demo.provider import Served
from otel_carbon.ledger import Ledger
from otel_carbon.reports import Report, summarise

__all__ = ["Books", "Check", "compare", "open_report", "read_books", "settle"]

_WAIT_S = 0.2
_ROUNDS = 150
_CO2E_COUNTER = "otel_carbon_co2e_grams_total"


@dataclass(frozen=True, slots=True)
class Books:
    """What ledger and counters say at one moment."""

    calls: float
    input_tokens: int
    output_tokens: int
    co2e_grams: float
    counted_co2e_grams: float
    """Sum of the counter `otel_carbon_co2e_grams_total` over all its series."""


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about the books, and whether it holds."""

    what: str
    holds: bool


def open_report(folder: Path) -> Report:
    """Return the report over the ledger in this folder. Raises StorageError where there is none."""
    ledger = Ledger.open_read_only(folder / "ledger.db")
    try:
        return summarise(ledger)
    finally:
        ledger.close()


async def read_books(folder: Path, prometheus: str) -> Books:
    """Return the books as they are now."""
    totals = open_report(folder).totals
    return Books(
        calls=totals.calls,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        co2e_grams=totals.co2e_grams.central if totals.co2e_grams else 0.0,
        counted_co2e_grams=await _counter(prometheus),
    )


async def settle(folder: Path, prometheus: str, served: Sequence[Served], before: Books) -> Books:
    """Return the books once they agree with what was served, or as they are when they do not come to.

    Counters are sent every half second and exporters work at their own pace, so the books are read until they agree.
    """
    books = await read_books(folder, prometheus)
    for _round in range(_ROUNDS):
        if all(check.holds for check in compare(books, served, before)):
            break
        await asyncio.sleep(_WAIT_S)
        books = await read_books(folder, prometheus)
    return books


def compare(books: Books, served: Sequence[Served], before: Books) -> list[Check]:
    """Compare the growth of the books since `before` with what the provider served."""
    calls = books.calls - before.calls
    tokens = _tokens(books) - _tokens(before)
    truth = sum(call.input_tokens + call.output_tokens for call in served)
    grams = books.co2e_grams - before.co2e_grams
    agrees = math.isclose(grams, books.counted_co2e_grams, rel_tol=1e-9)
    return [
        Check(f"{len(served)} calls served, {calls:g} in the ledger, each once", calls == len(served)),
        Check(f"{truth} tokens served, {tokens} in the ledger", tokens == truth),
        Check(f"counters on the Prometheus endpoint: {books.counted_co2e_grams:.6g} g; ledger: {grams:.6g} g", agrees),
    ]


def _tokens(books: Books) -> int:
    return books.input_tokens + books.output_tokens


async def _counter(prometheus: str) -> float:
    try:
        async with ClientSession() as session, session.get(prometheus) as response:
            text = await response.text()
    except ClientError:
        return 0.0
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return math.fsum(sample.value for sample in samples if sample.name == _CO2E_COUNTER)
