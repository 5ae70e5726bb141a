"""A report on a terminal: the numbers with their bounds, at a width that fits, plain where nobody wants colours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_cases import open_ledger, parent_sighting, sighting

from otel_carbon.ledger import Ledger
from otel_carbon.model import Interval, Usage
from otel_carbon.reports import summarise
from otel_carbon.reports.display import compact, count, energy_with_bounds, grams_with_bounds, percent, significant
from otel_carbon.reports.table import print_report, report_text

_GOLDEN = Path(__file__).with_name("golden") / "report_table.txt"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.db")
    opened.record(
        [
            sighting(1, response_id="r"),
            sighting(2, response_id="r", parent=1),
            sighting(3, model="claude-sonnet-4-5", provider="anthropic", usage=Usage(20_000, 0, 0, 1500)),
            sighting(4, model="gpt-4o-mini", usage=Usage(1500, 0, 0, 10)),
            sighting(5, usage=None),
            sighting(6, usage=None, failed=True),
            parent_sighting(7),
        ]
    )
    yield opened
    opened.close()


def test_the_report_reads_like_this(ledger: Ledger) -> None:
    text = report_text(summarise(ledger, as_of="2099-12-31"), "ledger.db", width=100)

    assert text == _GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [20, 80, 100, 118, 120, 400])
def test_no_line_of_a_table_is_wider_than_asked_for(ledger: Ledger, width: int) -> None:
    text = report_text(summarise(ledger), "ledger.db", width)

    assert max(map(len, text.splitlines())) <= min(max(width, 80), 120)
    assert "claude-sonnet-4-5" in text


def test_a_name_from_outside_takes_no_more_room_than_it_needs(tmp_path: Path) -> None:
    opened = open_ledger(tmp_path / "ledger.db")
    opened.record([sighting(1, model="q" * 500), sighting(2, model="gpt-4o")])

    lines = report_text(summarise(opened), "ledger.db", width=100).splitlines()
    opened.close()

    assert any("q..." in line for line in lines)
    assert sum(line.count("q") for line in lines) == 45


def test_a_wide_terminal_shows_energy_as_well(ledger: Ledger) -> None:
    header = next(line for line in report_text(summarise(ledger), "l", 120).splitlines() if line.startswith("provider"))

    assert header.split() == [
        "provider",
        "model",
        "calls",
        "tokens",
        "in",
        "out",
        "energy",
        "emissions",
        "share",
        "of",
        "it",
    ]


def test_plain_text_is_ascii_without_escapes(ledger: Ledger) -> None:
    assert report_text(summarise(ledger), "ledger.db").isascii()


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_and_colour(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = _Terminal()

    print_report(summarise(ledger), "ledger.db", terminal)

    assert "█" in terminal.getvalue()
    assert "\x1b[1;32m" in terminal.getvalue()


def test_no_color_is_respected(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = _Terminal()

    print_report(summarise(ledger), "ledger.db", terminal)

    assert "█" in terminal.getvalue()
    assert "32m" not in terminal.getvalue()


def test_a_period_after_the_last_call_has_no_end(ledger: Ledger) -> None:
    text = report_text(summarise(ledger, start="2099-01-01"), "ledger.db")

    assert text.startswith("Carbon of GenAI calls, from 2099-01-01 00:00 UTC\n")


def test_an_empty_ledger_says_what_to_do_next(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db")

    text = report_text(summarise(ledger), "ledger.db")
    ledger.close()

    assert "No GenAI call is in the ledger for this period." in text
    assert "otel-carbon demo --once" in text
    assert "otel-carbon serve" in text


def test_where_no_call_is_counted_no_figure_is_shown(ledger: Ledger) -> None:
    text = report_text(summarise(ledger, where=["model=typo"]), "ledger.db", width=100)

    assert text.startswith("Carbon of GenAI calls, no calls\n")
    assert "No call is counted here, so there is no figure; what was seen is below." in text
    assert "Coverage" in text
    assert "Emissions" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(0.1462, 0.6705, 3.8742), "0.670 gCO2e (0.146–3.87)"),
        (Interval(1740.9, 9940.2, 47147.7), "9.94 kgCO2e (1.74–47.1)"),
        (Interval(0.0, 0.0, 0.0), "0 gCO2e (0–0)"),
        (Interval(1e5, 2.5e6, 1e8), "2.50 tCO2e (0.100–100)"),
        (Interval(0.0002, 0.005, 0.09), "5.00 mgCO2e (0.200–90.0)"),
        (Interval(2e-6, 5e-6, 9e-5), "5.00 µgCO2e (2.00–90.0)"),
        (Interval(900.0, 999.96, 1200.0), "1.00 kgCO2e (0.900–1.20)"),
    ],
)
def test_emissions_have_three_digits_and_a_sensible_unit(value: Interval, text: str) -> None:
    assert grams_with_bounds(value) == text


def test_energy_has_a_sensible_unit() -> None:
    assert energy_with_bounds(Interval(0.4455, 1.9633, 11.025)) == "1.96 Wh (0.446–11.0)"
    assert energy_with_bounds(Interval(5654.6, 23529.3, 103147.2)) == "23.5 kWh (5.65–103)"


@pytest.mark.parametrize(
    ("value", "text"), [(9.996, "10.0"), (0.0, "0"), (1234.5, "1,230"), (0.00012345, "0.000123"), (99.95, "100")]
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_counts_and_shares() -> None:
    assert [count(12_345), count(13.5), compact(9_999), compact(12_345), compact(50_055_063), compact(999_960)] == [
        "12,345",
        "13.5",
        "9,999",
        "12.3 k",
        "50.1 M",
        "1.00 M",
    ]
    assert [percent(0.0), percent(0.004), percent(0.5), percent(1.0)] == ["0 %", "< 1 %", "50 %", "100 %"]
