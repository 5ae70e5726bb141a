"""The generated config in a real Collector, beside the gateway's processor on the same bytes: the same values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from enriching import Passed, compare, passed
from gateway_process import run_cli
from random_genai import random_requests

from otel_carbon.processors.carbon import Config

pytestmark = pytest.mark.e2e

_SPANS = 20_000


@pytest.mark.timeout(600)  # a quarter of a minute on two idle cores, most of it in Python
def test_collector_and_gateway_write_the_same_on_every_span_that_the_collector_marks(
    otelcol: Path, tmp_path: Path
) -> None:
    found = passed(otelcol, _generated(tmp_path), random_requests(_SPANS, seed=20_261_124), Config())

    assert len(found.collector) == _SPANS
    marked = compare(found)
    statuses = [mark["otel_carbon.status"] for mark in marked]
    assert len(marked) > _SPANS / 3
    assert {"estimated", "no_usage", "failed"} == set(statuses)
    matches = {mark.get("otel_carbon.factor.match") for mark in marked} - {None}
    assert matches == {"set_model", "pattern", "size_hint", "name_hint", "global_default"}
    sources = {mark.get("otel_carbon.region.source") for mark in marked} - {None}
    assert sources == {"cloud_region", "inference_profile", "provider_default", "model_vendor", "world"}
    # What came with a mark goes out as it came.
    kept = {trace: mark for trace, mark in found.came_with.items() if mark}
    assert len(kept) > 100
    assert {trace: found.collector[trace] for trace in kept} == kept
    _check_sums(found)


@pytest.mark.parametrize(
    "options",
    [("--models", "gpt-4o,claude-sonnet-4-5,qwen3-8b"), ("--regions", "eu-west-3,swedencentral"), ("--grid", "ember")],
)
def test_it_is_the_same_for_some_models_or_regions(otelcol: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    config = Config(grid=options[1]) if options[0] == "--grid" else Config()
    found = passed(otelcol, _generated(tmp_path, *options), random_requests(2000, seed=7), config)

    assert len(compare(found)) > 100


def _generated(folder: Path, *options: str) -> Path:
    file = folder / "generated.yaml"
    run_cli("collector-config", "--output", str(file), *options)
    return file


def _check_sums(found: Passed) -> None:
    marks = found.collector.values()
    for name, key, factor in (
        ("otel_carbon.co2e", "otel_carbon.co2e_grams", 1.0),
        ("otel_carbon.co2e.high", "otel_carbon.co2e_grams_high", 1.0),
        ("otel_carbon.energy", "otel_carbon.energy_wh", 3600.0),
        ("otel_carbon.energy.low", "otel_carbon.energy_wh_low", 3600.0),
    ):
        expected = math.fsum(float(mark[key]) * factor for mark in marks if key in mark)
        assert found.sums[name] == pytest.approx(expected, rel=1e-9)
    assert found.sums["otel_carbon.enriched.spans"] == sum(1 for mark in marks if mark)
