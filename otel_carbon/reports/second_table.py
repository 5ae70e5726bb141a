"""A second factor set beside the first, as a table for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from otel_carbon.model import Interval
from otel_carbon.reports.display import grams_with_bounds, significant
from otel_carbon.reports.report import Report, SecondGroup, SecondSet

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["second_notes", "second_table"]


def second_table(report: Report, second: SecondSet, shown: int, cell: Callable[[str | None], str]) -> Table:
    """Return the first groups and the total by both sets; `cell` makes a name or a number fit for the console."""
    from rich.table import Table  # noqa: PLC0415  # an extra: the rest of the package works without it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    names = report.by or ("",)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    table.add_column("in the ledger", no_wrap=True)
    table.add_column("second set", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for group, other in zip(report.groups[:shown], second.groups, strict=False):
        keys = [cell(value) for value in group.keys.values()]
        table.add_row(*keys, *(cell(text) for text in _both(group.totals.co2e_grams, other)))
    blank = [""] * (len(names) - 1)
    table.add_row("total", *blank, *(cell(text) for text in _both(report.totals.co2e_grams, second.totals)))
    return table


def second_notes(second: SecondSet) -> tuple[str, ...]:
    """Return what a reader of the table must know, a sentence each."""
    notes = [second.why]
    if second.warning is not None:
        notes.append(f"Warning: {second.factor_set}: {second.warning}")
    others = ", ".join(
        f"{name} for {calls:,}" for name, calls in second.answered_by.items() if name != second.factor_set
    )
    if others:
        notes.append(f"The second set has no figure for some calls, and its fallback answered: {others}.")
    if second.not_estimated_calls:
        notes.append(f"{second.not_estimated_calls:,} calls have no figure by the second set and add nothing to it.")
    return tuple(notes)


def _both(first: Interval | None, second: SecondGroup) -> tuple[str, str, str]:
    ratio = "" if second.ratio is None else f"x {significant(second.ratio, 2)}"
    return _grams(first), _grams(second.co2e_grams), ratio


def _grams(value: Interval | None) -> str:
    return "not given" if value is None else grams_with_bounds(value, 2).replace("CO2e", "")
