"""Every worked case of the per-token sets, to 1e-9 relative, and what each look-up answered."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import Basis, FactorTables
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
_LOCATION_STEPS = {"zone-config": "user"}


def _cases() -> Iterator[dict[str, str]]:
    with _GOLDEN.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def _of_sets(*sets: str) -> list[pytest.ParameterSet]:
    chosen = [case for case in _cases() if case["requested_set"] in sets]
    return [pytest.param(case, id=f"{case['case']} {case['note']}") for case in chosen]


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
    call = Call(model=case["model"], provider=case["provider"] or None, region=case["region"] or None, usage=usage)
    outcome = Estimator(FactorTables.bundled(), settings).estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize("case", _of_sets("otel-carbon-2026.11", "jegham-2025.11", "mlenergy-2026.02"))
def test_a_worked_case_is_met_to_nine_digits(case: dict[str, str]) -> None:
    footprint = _footprint(case)

    for column, name in _QUANTITIES.items():
        value: Interval = getattr(footprint, name)
        expected = [float(case[f"{column}_{bound}"]) for bound in ("low", "central", "high")]
        assert [value.low, value.central, value.high] == pytest.approx(expected, rel=1e-9, abs=0.0), column


@pytest.mark.parametrize("case", _of_sets("otel-carbon-2026.11", "jegham-2025.11", "mlenergy-2026.02"))
def test_a_worked_case_names_the_same_row_and_the_same_place(case: dict[str, str]) -> None:
    footprint = _footprint(case)

    assert footprint.factor.set == case["factor_set"]
    assert footprint.factor.id == case["factor_id"]
    assert footprint.factor.match == case["match_step"].replace("-", "_")
    assert footprint.confidence == case["confidence"].replace("-", "_")
    assert footprint.model == case["normalised_model"]
    assert footprint.region.source == _LOCATION_STEPS.get(case["location_step"], case["location_step"]).replace(
        "-", "_"
    )
    assert footprint.grid.zone == case["zone"]
    assert footprint.grid.source == case["grid_source"]


def test_the_worked_cases_hold_every_set_per_token() -> None:
    tables = FactorTables.bundled()
    per_token = {set_id for set_id in tables.set_ids if tables.factor_set(set_id).basis is Basis.PER_TOKEN}

    assert per_token <= {case["requested_set"] for case in _cases()}


@pytest.mark.parametrize("set_id", ["seed-carbon-llm-2025", "seed-model-class-kwh", "vendor-2025"])
def test_a_set_of_another_basis_is_refused_with_the_names_of_those_that_work(set_id: str) -> None:
    with pytest.raises(ConfigError, match=r"use one of jegham-2025\.11, mlenergy-2026\.02, otel-carbon-2026\.11$"):
        Estimator(FactorTables.bundled(), EstimatorSettings(factor_set=set_id))
