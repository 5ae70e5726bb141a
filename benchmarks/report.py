"""Seconds for a report over a million ledger lines, from the roll-ups and from the lines themselves.

    python benchmarks/report.py [--lines 1000000] [--days 30] [--ledger FILE]

The lines are real ones, recorded once and then multiplied in SQL with other ids and times; the roll-ups are summed from
them, so `otel-carbon ledger verify` would find only the hashes wrong. A file that exists is used as it is.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ledger import sightings

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.ledger.columns import COLUMN_NAMES
from otel_carbon.ledger.rollup import COUNTS, DIMENSIONS, SUMS, hourly_from_lines_sql
from otel_carbon.reports import summarise

_REAL_LINES = 5000


def fill(path: Path, lines: int, days: int) -> None:
    """Make a ledger of so many lines over so many days."""
    with closing(Ledger.open(path, estimator=Estimator(FactorTables.bundled()))) as ledger:
        ledger.record(list(sightings(min(_REAL_LINES, lines))))

    copies = lines // _REAL_LINES
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for copy in range(1, copies):
            shift = f"-{copy * days * 24 // copies} hours"
            changed = {
                "seq": f"seq + {copy * _REAL_LINES}",
                "occurred_at": f"strftime('%Y-%m-%dT%H:%M:%f000Z', occurred_at, '{shift}')",
            }
            columns = ", ".join(changed.get(name, f'"{name}"') for name in COLUMN_NAMES)
            connection.execute(f"INSERT INTO lines SELECT {columns} FROM lines WHERE seq <= {_REAL_LINES}")
        columns = ", ".join(("hour", *DIMENSIONS, *COUNTS, *SUMS))
        connection.execute("DELETE FROM hourly")
        connection.execute(
            f"INSERT INTO hourly ({columns}) SELECT {columns} FROM ({hourly_from_lines_sql()}) AS summed"
        )
        connection.execute("DELETE FROM hourly_spans")
        connection.execute(
            "INSERT INTO hourly_spans SELECT hour, tenant, status, SUM(counted) FROM hourly GROUP BY 1, 2, 3"
        )
        connection.commit()


def measure(ledger: Ledger) -> None:
    """Print the table."""
    now = summarise(ledger).as_of
    questions: dict[str, Callable[[], object]] = {
        "totals": lambda: summarise(ledger, by=()),
        "by model": lambda: summarise(ledger, by=("provider", "model")),
        "by day and service": lambda: summarise(ledger, by=("day", "service")),
        "totals, as of a moment (from lines)": lambda: summarise(ledger, as_of=now, by=()),
        "by model, as of a moment (from lines)": lambda: summarise(ledger, as_of=now, by=("provider", "model")),
        "by day, as of a moment (from lines)": lambda: summarise(ledger, as_of=now, by=("day",)),
    }
    print("| report | seconds |\n|---|---|")
    for name, ask in questions.items():
        began_s = time.monotonic()
        ask()
        print(f"| {name} | {time.monotonic() - began_s:.3f} |", flush=True)


def main() -> None:
    """Fill a ledger where there is none, and ask it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--ledger", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = args.ledger or Path(folder) / "ledger.db"
        if not path.exists():
            fill(path, args.lines, args.days)
        with closing(Ledger.open_read_only(path)) as ledger:
            with ledger.snapshot() as connection:
                lines, groups = (
                    connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("lines", "hourly")
                )
            print(f"{lines:,} lines, {groups:,} roll-up rows, {path.stat().st_size / 1e6:,.0f} MB\n")
            measure(ledger)


if __name__ == "__main__":
    main()
