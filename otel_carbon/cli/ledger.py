"""`otel-carbon ledger`: look at the book, check it, take it out."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from otel_carbon.cli.options import add_action
from otel_carbon.cli.report import add_ledger_arguments, chosen_ledger

if TYPE_CHECKING:
    from otel_carbon.ledger import Ledger

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Look at the ledger, check it from end to end, or take its lines out."
EXAMPLE = "example:\n  otel-carbon ledger verify"

_ACTIONS = {
    "stats": "what is in it, in numbers",
    "verify": "check sequence, hashes, reversals and roll-ups; exit 1 if anything is wrong",
    "export": "write its lines to stdout",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in _ACTIONS.items():
        action = add_action(actions, name, text, f"otel-carbon ledger {name}")
        add_ledger_arguments(action)
        if name == "export":
            action.add_argument("--format", choices=["jsonl", "csv"], default="jsonl", help="default: jsonl")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for.

    Raises:
        StorageError: the ledger cannot be read.
    """
    from otel_carbon.ledger import Ledger

    ledger = Ledger.open_read_only(chosen_ledger(args))
    try:
        match args.action:
            case "stats":
                return _stats(ledger)
            case "verify":
                return _verify(ledger)
            case _:
                return _export(ledger, args.format)
    finally:
        ledger.close()


def _stats(ledger: Ledger) -> int:
    from otel_carbon.ledger.stats import stats

    found = stats(ledger)
    rows = [
        ("ledger", str(ledger.path)),
        ("id", found.ledger_id),
        ("begun", found.created_at),
        ("size", f"{found.file_bytes:,} bytes"),
        ("lines", f"{found.lines:,}, of which reversals: {found.reversals:,}"),
        ("spans seen", f"{found.observations:,}, of which again with different content: {found.conflicts:,}"),
        ("calls", f"{found.first_call_at} to {found.last_call_at}" if found.lines else "none yet"),
        ("last recorded", found.last_recorded_at or "nothing yet"),
        ("roll-up rows", f"{found.rollup_rows:,}"),
        *((f"cursor {name}", f"{position:,}") for name, position in found.cursors.items()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _verify(ledger: Ledger) -> int:
    from otel_carbon.ledger.verify import verify

    def progress(lines: int) -> None:
        print(f"\r{lines:,} lines", end="", file=sys.stderr, flush=True)

    watched = sys.stderr.isatty()
    found = verify(ledger, progress if watched else None)
    if watched:
        print("\r\033[K", end="", file=sys.stderr)
    for problem in found.problems:
        print(problem)
    if found.problems:
        return 1
    print(f"sequence, hashes, reversals and roll-ups are right (lines: {found.lines:,}, spans: {found.observations:,})")
    return 0


def _export(ledger: Ledger, form: str) -> int:
    from otel_carbon.ledger.export import export_csv, export_jsonl

    write = export_csv if form == "csv" else export_jsonl
    count = write(ledger, sys.stdout)
    if sys.stderr.isatty():
        print(f"{count:,} lines", file=sys.stderr)
    return 0
