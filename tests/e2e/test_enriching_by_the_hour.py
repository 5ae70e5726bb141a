"""The generated config with intensities by the hour, in a real Collector, beside a gateway with the same source."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from enriching import compare, passed
from random_genai import random_requests

from otel_carbon.collector.amounts import CLAIMED_BY_THE_HOUR
from otel_carbon.collector.document import collector_config
from otel_carbon.collector.hours import Hours, newest_readings
from otel_carbon.collector.places import grids_of
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.grid import GridIntensityConfig
from otel_carbon.grid.csv_trace import CsvTrace
from otel_carbon.processors.carbon import Config
from otel_carbon.units import NANOSECONDS_PER_SECOND

pytestmark = pytest.mark.e2e

_SPANS = 2000
_HOLE_S = 20_000
_GAP_S = 40_000
_DAY_S = 86_400
_GRIDS = grids_of(FactorTables.bundled(), None)
_NOW_UNIX_S = 1_790_500_000
"""In the middle of the days in which random spans begin."""


def test_collector_and_gateway_write_the_same_for_the_hours_that_both_know(otelcol: Path, tmp_path: Path) -> None:
    trace, generated = tmp_path / "trace.csv", tmp_path / "generated.yaml"
    trace.write_text(_trace(), encoding="utf-8")
    generated.write_text(_config(trace), encoding="utf-8")
    hourly = Config(grid_intensity=GridIntensityConfig(provider="csv", file=str(trace), max_gap=f"{_GAP_S}s"))

    found = passed(otelcol, generated, random_requests(_SPANS, seed=29), hourly)

    marks = compare(found, CLAIMED_BY_THE_HOUR)
    qualities = Counter(mark.get("otel_carbon.grid.quality") for mark in marks)
    assert {"measured", "estimated", "carried_forward", "yearly", None} == set(qualities)


def _trace() -> str:
    """Return two periods of half of the grids, by zone or by region, with a hole between them."""
    rows = ["zone,start,end,g_per_kwh,estimated"]
    names = dict.fromkeys(grid_keys[number % 2] for number, grid_keys in enumerate(_GRIDS[::2]))
    for number, name in enumerate(names):
        for began_s, ended_s, estimated in ((-4 * _DAY_S, -_DAY_S - _HOLE_S, "false"), (-_DAY_S, _DAY_S, "true")):
            start, end = (_utc(_NOW_UNIX_S + at_s) for at_s in (began_s, ended_s))
            rows.append(f"{name},{start},{end},{number * 7.125 - began_s / _DAY_S},{estimated}")
    return "\n".join(rows) + "\n"


def _utc(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def _config(trace: Path) -> str:
    source = CsvTrace(trace, max_gap_s=_GAP_S)
    known = newest_readings(source, _GRIDS, _NOW_UNIX_S * NANOSECONDS_PER_SECOND)
    hours = Hours(source.source_id, _GAP_S * NANOSECONDS_PER_SECOND, known)
    return collector_config(
        FactorTables.bundled(), factor_set="otel-carbon-2026.11", grid=GridFamily.ELECTRICITY_MAPS, hours=hours
    )
