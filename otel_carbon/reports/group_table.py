"""The groups of a report as a table for people: as many columns as there is room for, and a bar for the share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otel_carbon.model import Interval
from otel_carbon.reports.display import compact, energy_with_bounds, grams_with_bounds, percent
from otel_carbon.reports.report import Group, Report, Totals

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["group_table", "printable", "short_name"]

_WITH_TOKENS, _WITH_ENERGY = 100, 118  # characters from which there is room for more columns
_BAR = 8
_LONGEST_NAME = 48  # characters; names come from outside and can be hundreds long
_WITHOUT = {"category": "none"}  # scope 2 has no category, which is not an unknown one


def group_table(report: Report, groups: Sequence[Group], width: int, *, fancy: bool) -> Table:
    """Return these groups as a table for a console of this width; `fancy` says whether it shows any character."""
    from rich.table import Table  # noqa: PLC0415  # an extra: the rest of the package works without it

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in report.by:
        table.add_column(name.replace("_", " "), overflow="fold")
    table.add_column("calls", justify="right", no_wrap=True)
    if width >= _WITH_TOKENS:
        table.add_column("tokens in", justify="right", no_wrap=True)
        table.add_column("out", justify="right", no_wrap=True)
    if width >= _WITH_ENERGY:
        table.add_column("energy", no_wrap=True)
    table.add_column("emissions", no_wrap=True)
    table.add_column("share of it", no_wrap=True, style="green")
    for group in groups:
        names = [short_name(value or _WITHOUT.get(name), fancy=fancy) for name, value in group.keys.items()]
        cells = [printable(cell, fancy=fancy) for cell in _figures(group.totals, width)]
        table.add_row(*names, *cells, _bar(group.totals.co2e_grams, report.totals.co2e_grams, fancy=fancy))
    return table


def short_name(value: str | None, *, fancy: bool) -> str:
    """Return a name that came from outside, cut to what a table has room for."""
    if value is None:
        return "unknown"
    if len(value) <= _LONGEST_NAME:
        return value
    more = "…" if fancy else "..."
    return f"{value[: _LONGEST_NAME - len(more)]}{more}"


def printable(text: str, *, fancy: bool) -> str:
    """Return a text in characters that every console has, unless this one shows any."""
    return text if fancy else text.replace("–", "-").replace("µ", "u")


def _figures(totals: Totals, width: int) -> list[str]:
    co2e, energy = totals.co2e_grams, totals.energy_wh
    cells = [compact(totals.calls)]
    if width >= _WITH_TOKENS:
        cells += [compact(totals.input_tokens), compact(totals.output_tokens)]
    if width >= _WITH_ENERGY:
        cells.append("not given" if energy is None else energy_with_bounds(energy, 2))
    emissions = "not given" if co2e is None else grams_with_bounds(co2e, 2).replace("CO2e", "")
    if totals.calls and co2e is not None and co2e.high == 0.0:  # no estimate comes to nothing
        emissions = "no estimate"
    return [*cells, emissions]


def _bar(part: Interval | None, whole: Interval | None, *, fancy: bool) -> str:
    share = part.central / whole.central if part is not None and whole is not None and whole.central > 0.0 else 0.0
    full = round(share * _BAR)
    block, empty = ("█", "░") if fancy else ("#", ".")
    return f"{block * full}{empty * (_BAR - full)} {percent(share):>5}"
