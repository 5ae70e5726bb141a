"""`factors diff A B --ledger`: what another factor set would change for the calls of a ledger."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from otel_carbon.cli.columns import aligned
from otel_carbon.cli.report import chosen_ledger
from otel_carbon.errors import StorageError
from otel_carbon.estimator import Estimator
from otel_carbon.estimator.settings import settings_from_environment
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.model import Interval
from otel_carbon.reports import SecondGroup, SecondSet, summarise
from otel_carbon.reports.display import count, grams_with_bounds

__all__ = ["ledger_diff_text"]

_LONGEST_NAME = 48  # characters; names come from outside


def ledger_diff_text(args: argparse.Namespace, tables: FactorTables) -> str:
    """Return the emissions of a ledger's calls by two factor sets, per model and in total, and the change.

    Raises:
        ConfigError: a date or a factor set is not one.
        FactorError: a factor-set file is not valid, or its id is taken.
        StorageError: the ledger cannot be read.
    """
    path = chosen_ledger(argparse.Namespace(ledger=args.ledger, data_dir=None))
    if not path.exists():
        raise StorageError(f"there is no ledger at {path}")
    ids: list[str] = []
    for name in (args.first, args.second):
        if name.endswith(".toml"):
            ids.append(tables.read_factor_set(Path(name)).id)
            tables = tables.with_factor_sets([name])
        else:
            ids.append(tables.factor_set(name).id)
    ledger = Ledger.open_read_only(path)
    try:
        reports = [
            summarise(ledger, args.start, args.end, by=("model",), second=_estimator(tables, set_id)) for set_id in ids
        ]
    finally:
        ledger.close()
    first, second = (report.second_set for report in reports)
    assert first is not None
    assert second is not None
    period = reports[0].period
    return "\n\n".join(
        [f"{path}, {period.start or 'no calls'} to {period.end or 'now'}", _table(ids, first, second), _notes(second)]
    )


def _estimator(tables: FactorTables, set_id: str) -> Estimator:
    settings = settings_from_environment(os.environ)
    return Estimator(tables, replace(settings, factor_set=set_id, own_sets_first=False))


def _table(ids: Sequence[str], first: SecondSet, second: SecondSet) -> str:
    after = {group.keys["model"]: group for group in second.groups}
    rows = [("model", "calls", *ids, "change")]
    rows += [_row(group.keys["model"] or "unknown", group, after[group.keys["model"]]) for group in first.groups]
    rows.append(_row("total", first.totals, second.totals))
    return aligned(rows, right=(1, 4))


def _row(name: str, first: SecondGroup, second: SecondGroup) -> tuple[str, ...]:
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
    calls = count(max(first.calls, second.calls))
    return short, calls, _grams(first.co2e_grams), _grams(second.co2e_grams), _change(first, second)


def _grams(value: Interval | None) -> str:
    return "not given" if value is None else grams_with_bounds(value)


def _change(first: SecondGroup, second: SecondGroup) -> str:
    before, after = first.co2e_grams, second.co2e_grams
    if before is None or after is None or before.central <= 0.0:
        return "-"
    if before == after:
        return "none"
    return f"{(after.central / before.central - 1.0) * 100:+,.2f} %"


def _notes(second: SecondSet) -> str:
    lines = ["Nothing in the ledger is changed. Both columns are estimated now, at the recorded places."]
    if second.warning is not None:
        lines.append(f"{second.factor_set}: {second.warning}")
    fallen_back = {name: calls for name, calls in second.answered_by.items() if name != second.factor_set}
    lines += [f"{name} answers {count(calls)} calls of {second.factor_set}" for name, calls in fallen_back.items()]
    return "\n".join(lines)
