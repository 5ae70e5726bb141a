"""`otel-carbon report`: what the ledger says about a period."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.cli.options import directory

if TYPE_CHECKING:
    from otel_carbon.estimator import Estimator
    from otel_carbon.factors import FactorTables

__all__ = ["EXAMPLE", "HELP", "add_arguments", "add_ledger_arguments", "chosen_ledger", "run"]

HELP = "Report energy and emissions of GenAI calls from the ledger."
EXAMPLE = "example:\n  otel-carbon report --from 2026-11-01 --to 2026-11-30 --by service,model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_ledger_arguments(parser)
    parser.add_argument("--from", dest="start", metavar="D", help="first day or moment, UTC (default: the first call)")
    parser.add_argument(
        "--to", dest="end", metavar="D", help="last day, or the moment to end before (default: the last)"
    )
    parser.add_argument("--as-of", metavar="T", help="as the ledger stood then, whatever was recorded since")
    parser.add_argument(
        "--by",
        default="provider,model",
        metavar="DIM,DIM",
        help="group by provider, model, service, day, … ('' for none)",
    )
    parser.add_argument("--tenant", metavar="T", help="only the calls of this tenant")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="DIM=VALUE",
        help="only such calls: category=1, service=api, … (more than once: all of them must hold)",
    )
    parser.add_argument(
        "--functional-unit",
        action="append",
        default=[],
        metavar="NAME=COUNT|DIM",
        help="carbon intensity per unit of yours: document=1200, or per user, tenant, agent, … that a call names",
    )
    parser.add_argument("--compare-set", metavar="ID", help="show the same calls by this factor set too")
    parser.add_argument("--format", choices=["table", "json", "csv"], default="table", help="default: table")


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that choose a ledger."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data-dir", type=directory, metavar="DIR", help="data directory with the ledger in it")
    where.add_argument("--ledger", metavar="URL", help="the ledger itself: a path or sqlite:///ledger.db")


def chosen_ledger(args: argparse.Namespace) -> Path:
    """Return the file that the options name; by default the ledger of the default data directory."""
    from otel_carbon.ledger.paths import LEDGER_FILE, default_data_dir, ledger_path

    if args.ledger is not None:
        return ledger_path(args.ledger)
    data_dir: Path = args.data_dir if args.data_dir is not None else default_data_dir()
    return data_dir / LEDGER_FILE


def run(args: argparse.Namespace) -> int:
    """Print the report.

    Raises:
        ConfigError: a date, a dimension or a factor set is not one.
        StorageError: the ledger cannot be read.
    """
    from otel_carbon.errors import StorageError
    from otel_carbon.ledger import Ledger
    from otel_carbon.reports import functional_units, report_csv, report_document, summarise
    from otel_carbon.reports.table import print_report

    path = chosen_ledger(args)
    if not path.exists():
        raise StorageError(f"there is no ledger at {path}: `otel-carbon demo` or `otel-carbon serve` begins one")
    second = None if args.compare_set is None else _second(args.compare_set)
    ledger = Ledger.open_read_only(path)
    try:
        report = summarise(
            ledger,
            args.start,
            args.end,
            args.as_of,
            by=args.by.split(","),
            tenant=args.tenant,
            second=second,
            where=args.where,
            units=functional_units(args.functional_unit),
            tables=_tables(),
        )
    finally:
        ledger.close()
    match args.format:
        case "json":
            print(json.dumps(report_document(report), indent=2))
        case "csv":
            sys.stdout.write(report_csv(report))
        case _:
            print_report(report, str(path), sys.stdout)
    return 0


def _second(set_id: str) -> Estimator:
    from dataclasses import replace

    from otel_carbon.estimator import Estimator
    from otel_carbon.estimator.settings import settings_from_environment

    settings = replace(settings_from_environment(os.environ), factor_set=set_id, own_sets_first=False)
    return Estimator(_tables(), settings)


def _tables() -> FactorTables:
    from otel_carbon.estimator import factor_sets_from_environment
    from otel_carbon.factors import FactorTables

    return FactorTables.bundled().with_factor_sets(factor_sets_from_environment(os.environ))
