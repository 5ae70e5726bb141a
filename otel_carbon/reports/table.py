"""A report as a person reads it in a terminal."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from otel_carbon.errors import MissingExtraError
from otel_carbon.reports.display import count, energy_with_bounds, grams_with_bounds, percent, significant
from otel_carbon.reports.group_table import group_table, printable, short_name
from otel_carbon.reports.inventory_text import indicator_lines, inventory_lines
from otel_carbon.reports.report import Group, Report, SecondSet, Totals
from otel_carbon.reports.second_table import second_notes, second_table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_report", "report_text"]

_WIDTHS = (80, 120)
_WIDTH_OF_FILES = 100
_MOST_GROUPS = 40
_LIKE = (("phone_charge", "phone charges"), ("car_km", "km by petrol car"), ("tree_month", "months of a tree's growth"))
_LEAST_LIKE = 0.01
_CONFIDENCE = {
    "measured": "measured",
    "vendor_reported": "vendor reported",
    "estimated": "estimated",
    "class_default": "class default",
    "low": "low",
}


def print_report(report: Report, ledger: str, file: TextIO) -> None:
    """Print a report; colours and block characters only on a terminal, no colours where NO_COLOR is set.

    Raises:
        MissingExtraError: rich is not installed.
    """
    _Page(report, ledger, _console(file)).print()


def report_text(report: Report, ledger: str, width: int = 100) -> str:
    """Return a report as plain text.

    Raises:
        MissingExtraError: rich is not installed.
    """
    buffer = io.StringIO()
    _Page(report, ledger, _console(buffer, width)).print()
    return buffer.getvalue()


def _console(file: TextIO, width: int | None = None) -> Console:
    try:
        from rich.console import Console  # noqa: PLC0415  # an extra: the rest of the package works without it
    except ImportError as error:
        raise MissingExtraError("a report as a table", "report") from error
    narrowest, widest = _WIDTHS
    console = Console(file=file, highlight=False, emoji=False, markup=False)
    if width is None:
        width = console.width if console.is_terminal or "COLUMNS" in os.environ else _WIDTH_OF_FILES
    console.width = min(max(width, narrowest), widest)
    return console


class _Page:
    """One report on one console."""

    def __init__(self, report: Report, ledger: str, console: Console) -> None:
        self._report = report
        self._ledger = ledger
        self._console = console
        self._fancy = console.is_terminal and not console.options.ascii_only

    def print(self) -> None:
        report = self._report
        self._heading()
        if not report.coverage.seen_spans:
            self._nothing()
            return
        if report.totals.calls:
            self._headline(report.totals)
        else:
            self._wrapped("No call is counted here, so there is no figure; what was seen is below.", style="bold")
            self._line()
        if report.groups:
            self._groups(report.groups)
        if report.second_set is not None:
            self._second(report.second_set)
        self._foundation()
        self._line()
        self._wrapped(report.sentence)

    def _heading(self) -> None:
        period = self._report.period
        span = f"{_moment(period.start)} to {_moment(period.end)} UTC" if period.start else "no calls"
        if period.start and not period.end:
            span = f"from {_moment(period.start)} UTC"
        tenant = f", tenant {self._report.tenant}" if self._report.tenant is not None else ""
        self._line(f"Carbon of GenAI calls, {span}{tenant}", style="bold")
        self._line(f"{self._ledger}, as recorded until {_moment(self._report.as_of)} UTC", style="dim")
        self._line()

    def _nothing(self) -> None:
        self._line("No GenAI call is in the ledger for this period.")
        self._line()
        self._line("What to do next:")
        for step in (
            "otel-carbon demo --once           see the whole path on this machine, without keys",
            "otel-carbon serve                 take OTLP on 127.0.0.1:4317 and :4318 into this ledger",
            "otel_carbon.install(ledger=PATH)  one line in an application, without a server",
        ):
            self._line(f"  {step}")

    def _headline(self, totals: Totals) -> None:
        co2e, energy, water = totals.co2e_grams, totals.energy_wh, totals.water_liters
        if co2e is not None:
            self._line(f"  Emissions  {grams_with_bounds(co2e)}", style="bold green")
            self._wrapped(f"             as much as {self._like()}", indent=13, style="dim")
        if energy is not None:
            self._line(f"  Energy     {energy_with_bounds(energy)} at the data-centre meter", style="bold")
        if water is not None and water.central:
            bounds = f"{significant(water.low)}–{significant(water.high)}"
            self._line(f"  Water      {significant(water.central)} L ({bounds})")
        for text in indicator_lines(totals):
            self._line(text)
        self._line(f"  Calls      {count(totals.calls)}")
        cached, reasoning = count(totals.cache_read_tokens), count(totals.reasoning_tokens)
        self._line(
            f"  Tokens     {count(totals.input_tokens)} in ({cached} from cache),"
            f" {count(totals.output_tokens)} out ({reasoning} reasoning)"
        )
        items = _named((totals.images, "image", "images"), (totals.videos, "video", "videos"))
        seconds = [f"{count(totals.audio_seconds)} s of audio"] if totals.audio_seconds else []
        if made := [*items, *seconds]:
            self._line(f"  Media      {', '.join(made)}")
        self._line()

    def _like(self) -> str:
        """Return what the emissions compare with; what comes to almost nothing says nothing."""
        known = self._report.equivalents
        large = [(key, words) for key, words in _LIKE if known.get(key, 0.0) >= _LEAST_LIKE] or _LIKE[:1]
        return ", or ".join(f"{significant(known.get(key, 0.0), 2)} {words}" for key, words in large)

    def _groups(self, groups: tuple[Group, ...]) -> None:
        shown = groups[:_MOST_GROUPS]
        self._console.print(group_table(self._report, shown, self._console.width, fancy=self._fancy))
        if len(groups) > len(shown):
            self._line(f"  and {len(groups) - len(shown):,} more: --format csv has them all", style="dim")
        self._line()

    def _second(self, second: SecondSet) -> None:
        self._wrapped(f"The same calls by {second.factor_set} (not added to the figures above)", style="bold")
        self._console.print(second_table(self._report, second, _MOST_GROUPS, self._cell))
        for note in second_notes(second):
            self._wrapped(note, style="dim")
        self._line()

    def _foundation(self) -> None:
        coverage = self._report.coverage
        parts = [
            f"{coverage.counted:,} of {coverage.seen_spans:,} GenAI spans counted",
            *_named(
                (coverage.parents, "agent, chain or tool", "agents, chains and tools"),
                (coverage.duplicates, "duplicate", "duplicates"),
                (coverage.failed, "failed", "failed"),
            ),
        ]
        self._wrapped(f"Coverage    {', '.join(parts)}", indent=12)
        for text in inventory_lines(self._report):
            self._wrapped(text, indent=12)
        shares = [
            f"{percent(share)} {_CONFIDENCE.get(label, label)}"
            for label, share in self._report.confidence_share.items()
        ]
        if shares:
            self._wrapped(f"Confidence  {', '.join(shares)} (share of emissions)", indent=12)
        if self._report.taken_back.lines:
            taken = self._report.taken_back
            self._wrapped(f"Reversed    {taken.lines:,} lines, {significant(taken.co2e_grams)} gCO2e", indent=12)
        for note in self._report.notes:
            self._wrapped(f"Note        {note}", indent=12)

    def _wrapped(self, text: str, indent: int = 0, style: str | None = None) -> None:
        for line in textwrap.wrap(
            printable(text, fancy=self._fancy),
            self._console.width,
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        ):
            self._line(line, style)

    def _cell(self, text: str | None) -> str:
        return printable(short_name(text, fancy=self._fancy), fancy=self._fancy)

    def _line(self, text: str = "", style: str | None = None) -> None:
        self._console.print(printable(text, fancy=self._fancy), style=style, soft_wrap=True)


def _named(*counts: tuple[int, str, str]) -> Iterable[str]:
    return (f"{number:,} {one if number == 1 else many}" for number, one, many in counts if number)


def _moment(text: str | None) -> str:
    return "" if text is None else text[:16].replace("T", " ")
