"""Every worked case of every set, to 1e-9 relative, and what each look-up answered."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Interval, Usage

_GOLDEN = Path(__file__).parent / "golden" / "tokens.csv"
_QUANTITIES = {
    "energy_it_wh": "it_energy_wh",
    "energy_facility_wh": "energy_wh",
    "co2e_operational_g": "co2e_operational_grams",
    "co2e_embodied_g": "co2e_embodied_grams",
    "co2e_g": "co2e_grams",
    "water_l": "water_liters",
}
_LOCATION_STEPS = {
    "zone-config": "user",
    "included-in-factor": "factor_included",
    "set-region": "factor_region",
    "set-provider": "factor_provider",
}


def _cases() -> Iterator[dict[str, str]]:
    with _GOLDEN.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def _all_cases() -> list[pytest.ParameterSet]:
    return [pytest.param(case, id=f"{case['case']} {case['note']}") for case in _cases()]


def _footprint(case: dict[str, str]) -> Footprint:
    settings = EstimatorSettings(
        factor_set=case["requested_set"],
        zone=case["zone_in"] or None,
        grid_intensity_g_per_kwh=float(case["ci_in"]) if case["ci_in"] else None,
        pue_ratio=float(case["pue_in"]) if case["pue_in"] else None,
        water=True,
    )
    read, write, reasoning = (int(case[f"{kind}_tokens"]) for kind in ("cache_read", "cache_write", "reasoning"))
    usage = Usage(
        uncached_input_tokens=int(case["input_tokens"]) - read - write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        visible_output_tokens=int(case["output_tokens"]) - reasoning,
        reasoning_tokens=reasoning,
    )
    call = Call(
        model=case["model"],
        provider=case["provider"] or None,
        region=case["region"] or None,
        usage=usage,
        latency_s=float(case["latency_s"]) if case["latency_s"] else None,
    )
    outcome = Estimator(FactorTables.bundled(), settings).estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize("case", _all_cases())
def test_a_worked_case_is_met_to_nine_digits(case: dict[str, str]) -> None:
    footprint = _footprint(case)

    for column, name in _QUANTITIES.items():
        value: Interval | None = getattr(footprint, name)
        written = [case[f"{column}_{bound}"] for bound in ("low", "central", "high")]
        if written == ["", "", ""]:
            assert value is None, column
        else:
            assert value is not None, column
            expected = [float(number) for number in written]
            assert [value.low, value.central, value.high] == pytest.approx(expected, rel=1e-9, abs=0.0), column


@pytest.mark.parametrize("case", _all_cases())
def test_a_worked_case_names_the_same_row_and_the_same_place(case: dict[str, str]) -> None:
    footprint = _footprint(case)

    assert footprint.factor.set == case["factor_set"]
    assert footprint.factor.id == case["factor_id"]
    assert footprint.factor.match == case["match_step"].replace("fallback-set/", "fallback_").replace("-", "_")
    assert footprint.confidence == case["confidence"].replace("-", "_")
    assert footprint.model == case["normalised_model"]
    step = _LOCATION_STEPS.get(case["location_step"], case["location_step"])
    assert footprint.region.source == step.replace("-", "_")
    assert footprint.grid.zone == (case["zone"] or None)
    assert footprint.grid.source == (case["grid_source"] or None)


def test_the_worked_cases_hold_every_set() -> None:
    assert set(FactorTables.bundled().set_ids) == {case["requested_set"] for case in _cases()}
