"""Traces from CSV files: what is read, what is refused, and which hour a call gets."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.grid.csv_trace import CsvTrace
from otel_carbon.grid.series import SeriesStore
from otel_carbon.model import GridReading

NS = 10**9
HEAD = "zone,start,end,g_per_kwh,estimated\n"


def unix_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS


def trace(tmp_path: Path, rows: str, *, head: str = HEAD, max_gap_s: float = 0.0, **places: str) -> CsvTrace:
    path = tmp_path / "meter.csv"
    path.write_text(head + rows, encoding="utf-8")
    return CsvTrace(path, max_gap_s=max_gap_s, places=places)


def test_a_call_gets_the_row_that_holds_its_time(tmp_path: Path) -> None:
    source = trace(
        tmp_path,
        "IE,2026-11-20T10:00Z,2026-11-20T10:30Z,123.4567891,false\nIE,2026-11-20T10:30Z,2026-11-20T11:00Z,130,true\n",
    )
    keys = ("aws:eu-west-1", "IE")

    assert source.reading(keys, unix_ns("2026-11-20T10:29:59Z")) == GridReading(
        "IE", 123.457, unix_ns("2026-11-20T10:00Z"), unix_ns("2026-11-20T10:30Z"), "csv:meter"
    )
    second = source.reading(keys, unix_ns("2026-11-20T10:30Z"))
    assert second is not None
    assert (second.g_per_kwh, second.is_estimated) == (130.0, True)
    assert source.reading(keys, unix_ns("2026-11-20T11:00Z")) is None
    assert source.reading(keys, unix_ns("2026-11-20T09:59:59Z")) is None
    assert source.reading(("SE-SE3",), unix_ns("2026-11-20T10:00Z")) is None


def test_the_hour_that_a_clock_shows_twice_is_two_hours(tmp_path: Path) -> None:
    source = trace(
        tmp_path,
        "DE,2026-10-25T02:00+02:00,2026-10-25T03:00+02:00,300\nDE,2026-10-25T02:00+01:00,2026-10-25T03:00+01:00,400\n",
        head="zone,start,end,g_per_kwh\n",
    )

    first, second = (source.reading(("DE",), unix_ns(f"2026-10-25T0{hour}:30Z")) for hour in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.g_per_kwh, second.g_per_kwh) == (300.0, 400.0)


def test_a_cloud_region_can_have_a_trace_of_its_own(tmp_path: Path) -> None:
    source = trace(
        tmp_path,
        "aws:eu-west-1,2026-11-20T10:00Z,2026-11-20T11:00Z,10,\nIE,2026-11-20T10:00Z,2026-11-20T11:00Z,300,\n",
        **{"azure:northeurope": "aws:eu-west-1"},
    )
    at = unix_ns("2026-11-20T10:00Z")

    found = [source.reading((region, "IE"), at) for region in ("aws:eu-west-1", "azure:northeurope", "gcp:x")]
    assert [reading.g_per_kwh for reading in found if reading is not None] == [10.0, 10.0, 300.0]


def test_the_last_row_stands_in_for_as_long_as_is_said(tmp_path: Path) -> None:
    source = trace(tmp_path, "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,300,\n", max_gap_s=3600.0)

    assert source.reading(("IE",), unix_ns("2026-11-20T11:59:59Z")) is not None
    assert source.reading(("IE",), unix_ns("2026-11-20T12:00Z")) is None


@pytest.mark.parametrize(
    ("head", "rows", "problem"),
    [
        ("zone,start,end\n", "", "line 1: column 'g_per_kwh' is missing"),
        ("", "", "line 1: column 'zone' is missing"),
        (HEAD, ",2026-11-20T10:00Z,2026-11-20T11:00Z,1,\n", "line 2: zone is empty"),
        (HEAD, "IE,2026-11-20T10:00,2026-11-20T11:00Z,1,\n", "line 2: start must be a time with its offset"),
        (HEAD, "IE,2026-11-20T10:00Z,soon,1,\n", "line 2: end must be a time with its offset"),
        (HEAD, "IE,2026-11-20T11:00Z,2026-11-20T10:00Z,1,\n", "line 2: not a grid intensity"),
        (HEAD, "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,nan,\n", "line 2: not a grid intensity"),
        (HEAD, "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,-1,\n", "line 2: not a grid intensity"),
        (HEAD, "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,,\n", "line 2: g_per_kwh must be a number"),
        (HEAD, "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,0.3,maybe\n", "line 2: estimated must be true or false"),
        (HEAD, "IE,2026-11-20T10:00Z\n", "line 2: g_per_kwh must be a number, not None"),
        (
            HEAD,
            "IE,2026-11-20T10:00Z,2026-11-20T11:00Z,1,\nIE,2026-11-20T10:30Z,2026-11-20T11:30Z,2,\n",
            "two periods of zone IE hold the time",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path, head: str, rows: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        trace(tmp_path, rows, head=head)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        CsvTrace(tmp_path / "nothing.csv")


def test_a_store_keeps_the_newest_of_each_place_and_takes_no_place_too_many() -> None:
    store = SeriesStore(most_per_place=3, most_places=2)
    readings = [GridReading("A", 1.0 + each, each * 10, each * 10 + 10, "test") for each in range(5)]
    for place in ("A", "B", "C"):
        store.put(place, readings)

    assert [reading.g_per_kwh for place, reading in store if place == "A"] == [3.0, 4.0, 5.0]
    assert {place for place, _ in store} == {"A", "B"}
    assert store.find("A", 19) is None
    assert store.find("A", 20) == readings[2]
    assert store.find("A", 49) == readings[4]
    assert store.find("A", 50) is None
    assert store.find("A", 50, 1) == readings[4]
    assert store.find("C", 20) is None
