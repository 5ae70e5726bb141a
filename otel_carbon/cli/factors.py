"""`otel-carbon factors`: the factor tables, their sources and licences."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from otel_carbon.cli.options import add_action, line_number

if TYPE_CHECKING:
    from otel_carbon.factors import FactorSet, FactorTables

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "Show the factor tables and their licences, check your own, and explain which factor a model gets."
EXAMPLE = "example:\n  otel-carbon factors explain us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = add_action(actions, "list", "all factor sets with basis, validity and licence")
    show = add_action(actions, "show", "one factor set: its rows and their sources")
    show.add_argument("set", metavar="ID", help="id of a factor set, or a factor-set file")
    check = add_action(actions, "check", "check a factor-set file of your own")
    check.add_argument("file", metavar="FILE", type=Path)
    diff = add_action(actions, "diff", "rows that differ between two factor sets")
    diff.add_argument("first", metavar="A", help="id of a factor set, or a factor-set file")
    diff.add_argument("second", metavar="B")
    diff.add_argument("--ledger", metavar="PATH", help="show what B instead of A changes for the calls of this ledger")
    diff.add_argument("--from", dest="start", metavar="D", help="with --ledger: first day or moment, UTC")
    diff.add_argument("--to", dest="end", metavar="D", help="with --ledger: last day, or the moment to end before")
    explain = add_action(
        actions,
        "explain",
        "how a model name is read, or what a line of the ledger or a span rests on",
        "otel-carbon factors explain --line 17 --ledger ledger.db",
    )
    _add_what_to_explain(explain)
    licences = add_action(actions, "licences", "the licence of every data file")
    for action in (listed, show, diff, explain):
        action.add_argument(
            "--factor-set-file",
            metavar="FILE",
            dest="factor_set_files",
            action="append",
            default=[],
            help="a factor set of your own beside the shipped ones; may be repeated (also: OTEL_CARBON_FACTOR_SETS)",
        )
    for action in (listed, show, explain, licences):
        action.add_argument("--format", choices=["table", "json"], default="table", help="default: table")


def run(args: argparse.Namespace) -> int:
    """Run one action.

    Raises:
        ConfigError: there is no such factor set.
        FactorError: a factor-set file is not valid.
    """
    from otel_carbon.estimator import factor_sets_from_environment
    from otel_carbon.factors import FactorTables

    named = getattr(args, "factor_set_files", None)
    files = [] if named is None else [*factor_sets_from_environment(os.environ), *named]
    _ACTIONS[args.action](args, FactorTables.bundled().with_factor_sets(files))
    return 0


def _list(args: argparse.Namespace, tables: FactorTables) -> None:
    from otel_carbon.cli.factors_text import list_text
    from otel_carbon.factors.documents import set_document

    sets = [tables.factor_set(set_id) for set_id in tables.set_ids]
    if args.format == "json":
        print(json.dumps([set_document(factor_set, tables, rows=False) for factor_set in sets], indent=1))
    else:
        print(list_text(sets))


def _show(args: argparse.Namespace, tables: FactorTables) -> None:
    from otel_carbon.cli.factors_text import show_text
    from otel_carbon.factors.documents import set_document

    factor_set = _named(args.set, tables)
    if args.format == "json":
        print(json.dumps(set_document(factor_set, tables, rows=True), indent=1))
    else:
        print(show_text(factor_set, {**tables.sources, **factor_set.sources}))


def _check(args: argparse.Namespace, tables: FactorTables) -> None:
    factor_set = tables.read_factor_set(args.file)
    rows = f"{len(factor_set.models)} models, {len(factor_set.classes)} classes"
    print(f"{args.file}: valid. {factor_set.id}, {factor_set.basis.value}, {rows}, from {factor_set.valid_from}")


def _diff(args: argparse.Namespace, tables: FactorTables) -> None:
    if args.ledger is not None:
        from otel_carbon.cli.factors_ledger import ledger_diff_text

        print(ledger_diff_text(args, tables))
        return
    from otel_carbon.cli.factors_text import diff_text

    print(diff_text(_named(args.first, tables), _named(args.second, tables)))


def _explain(args: argparse.Namespace, tables: FactorTables) -> None:
    from otel_carbon.cli.factors_text import explain_text
    from otel_carbon.factors.documents import model_document

    if args.source is not None:
        _explain_source(args, tables)
        return
    if args.model is None:
        _explain_figure(args, tables)
        return
    document = model_document(args.model, tables)
    print(json.dumps(document, indent=1) if args.format == "json" else explain_text(document))


def _explain_source(args: argparse.Namespace, tables: FactorTables) -> None:
    from dataclasses import asdict

    from otel_carbon.cli.columns import aligned
    from otel_carbon.errors import ConfigError
    from otel_carbon.factors.sources import grid_source_ids, source_named
    from otel_carbon.factors.suggest import did_you_mean

    found = [source_named(tables.sources, source_id) for source_id in grid_source_ids(args.source)]
    named = [asdict(source) for source in found if source is not None]
    if not named:
        raise ConfigError(f"--source: there is no source {args.source!r}; {did_you_mean(args.source, tables.sources)}")
    if args.format == "json":
        print(json.dumps(named, indent=1))
    else:
        print("\n\n".join(aligned([(key, value) for key, value in source.items() if value]) for source in named))


def _explain_figure(args: argparse.Namespace, tables: FactorTables) -> None:
    from otel_carbon.cli.provenance import found_provenance
    from otel_carbon.cli.provenance_text import provenance_text
    from otel_carbon.reports.provenance import provenance_document

    found = found_provenance(args, tables)
    print(json.dumps(provenance_document(found), indent=1) if args.format == "json" else provenance_text(found))


def _add_what_to_explain(explain: argparse.ArgumentParser) -> None:
    what = explain.add_mutually_exclusive_group(required=True)
    what.add_argument("model", metavar="MODEL", nargs="?", help="a model name, as it arrives")
    what.add_argument("--line", metavar="SEQ", type=line_number, help="a line of the ledger, by its number")
    what.add_argument("--span", metavar="TRACE_ID/SPAN_ID", help="the line of a span")
    what.add_argument("--source", metavar="ID", help="a source id, as lines, spans and reports have it")
    what.add_argument("--attributes", metavar="FILE", type=Path, help="attributes of a span, a JSON object")
    explain.add_argument("--ledger", metavar="PATH", help="the ledger of the line (default: the usual one)")


def _licences(args: argparse.Namespace, _tables: FactorTables) -> None:
    from otel_carbon.cli.columns import aligned
    from otel_carbon.factors.licences import licences

    found = licences()
    print(json.dumps(found, indent=1) if args.format == "json" else aligned(list(found.items())))


def _named(name: str, tables: FactorTables) -> FactorSet:
    return tables.load(Path(name)) if name.endswith(".toml") else tables.factor_set(name)


_ACTIONS: dict[str, Callable[[argparse.Namespace, FactorTables], None]] = {
    "list": _list,
    "show": _show,
    "check": _check,
    "diff": _diff,
    "explain": _explain,
    "licences": _licences,
}
