"""The lines of the book as JSON Lines or CSV, in full precision."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from otel_carbon.ledger.book import Ledger
from otel_carbon.ledger.columns import COLUMN_NAMES

__all__ = ["export_csv", "export_jsonl"]

_PAGE = "SELECT * FROM lines WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_PAGE_LINES = 2000


def export_jsonl(ledger: Ledger, file: TextIO) -> int:
    """Write one JSON object per line of the book and return how many. What is not known is left out.

    Raises:
        StorageError: the ledger cannot be read.
    """
    count = 0
    for row in _rows(ledger):
        line = {name: value for name, value in zip(COLUMN_NAMES, row, strict=True) if value is not None}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


def export_csv(ledger: Ledger, file: TextIO) -> int:
    """Write the lines of the book under a header and return how many. Units are in the column names.

    Raises:
        StorageError: the ledger cannot be read.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMN_NAMES)
    count = 0
    for row in _rows(ledger):
        writer.writerow(row)
        count += 1
    return count


def _rows(ledger: Ledger) -> Iterator[tuple[str | int | float | None, ...]]:
    """Yield the lines that are there now, in short reads.

    While somebody reads, nothing can be taken out of the write-ahead log, and a pager may leave its input unread for
    hours. A line never changes, so that pages read one after the other are the same book.
    """
    with ledger.snapshot() as connection:
        (last,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM lines").fetchone()
    read = 0
    while read < last:
        with ledger.snapshot() as connection:
            page = connection.execute(_PAGE, (read, last, _PAGE_LINES)).fetchall()
        if not page:
            return
        yield from page
        read = page[-1][0]
