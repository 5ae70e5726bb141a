"""`otel-carbon doctor`: what is installed, what of it would be missed, and how to fix that."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.cli.report import add_ledger_arguments, chosen_ledger

if TYPE_CHECKING:
    from otel_carbon.cli.doctor_findings import Diagnosis

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = (
    "Say which SDK and instrumentations are seen, what would be missed, and how to fix it; with a ledger also which"
    " libraries sent calls without usage."
)
EXAMPLE = "example:\n  otel-carbon doctor --ledger ledger.db"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_ledger_arguments(parser)  # also say which libraries sent calls without usage
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")


def run(args: argparse.Namespace) -> int:
    """Look around and print what was found.

    Raises:
        StorageError: the ledger cannot be read.
    """
    import json
    import os

    from otel_carbon.cli.doctor_findings import diagnose, installed_packages
    from otel_carbon.cli.doctor_text import text_of

    found = diagnose(installed_packages(), os.environ, _scopes(args))
    print(json.dumps(_document(found), indent=2) if args.format == "json" else text_of(found))
    return 0


def _scopes(args: argparse.Namespace) -> dict[str, dict[str, int]] | None:
    if args.ledger is None and args.data_dir is None:
        return None
    from otel_carbon.errors import StorageError
    from otel_carbon.ledger import Ledger
    from otel_carbon.reports.scopes import calls_by_scope

    path: Path = chosen_ledger(args)
    if not path.exists():
        raise StorageError(f"there is no ledger at {path}: name the file that `otel-carbon serve` keeps")
    ledger = Ledger.open_read_only(path)
    try:
        return calls_by_scope(ledger)
    finally:
        ledger.close()


def _document(found: Diagnosis) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(found)
