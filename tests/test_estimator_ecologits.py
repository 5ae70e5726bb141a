"""The life-cycle equations against the package that they restate: worked cases, and 12 000 random calls."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ecologits.impacts.llm import compute_llm_impacts
from ecologits.tracers.utils import llm_impacts
from ecologits.utils.range_value import RangeValue

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.lca import DataCentre, lca_impacts
from otel_carbon.factors import FactorTables
from otel_carbon.factors.lca import LcaModel, Mix
from otel_carbon.model import Call, FactorRef, Footprint, Grid, Interval, Mark, Region, Status, Usage

_SET = "ecologits-0.11.3"
_TABLES = FactorTables.bundled()
_GOLDEN = Path(__file__).parent / "golden" / "ecologits.csv"
_SEED = 20261122
_G, _WH = 1e3, 1e3  # per kg and per kWh


def _cases() -> list[pytest.ParameterSet]:
    lines = (line for line in _GOLDEN.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [pytest.param(case, id=f"{case['case']} {case['model']}") for case in csv.DictReader(lines)]


def _estimate(call: Call, **settings: Any) -> Footprint:
    settings = {"factor_set": _SET, "water": True} | settings
    outcome = Estimator(_TABLES, EstimatorSettings(**settings)).estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


def _ends(value: Interval | None) -> tuple[float, float]:
    assert value is not None
    assert value.central == pytest.approx((value.low * value.high) ** 0.5, rel=1e-12)
    return value.low, value.high


@pytest.mark.parametrize("case", _cases())
def test_a_worked_case_of_the_package_is_met_to_nine_digits(case: dict[str, str]) -> None:
    call = Call(
        model=case["model"],
        usage=Usage(uncached_input_tokens=777, visible_output_tokens=int(case["output_tokens"])),
        latency_s=float(case["request_latency_s"]),
    )

    footprint = _estimate(call, zone=case["zone"] or None)

    def written(name: str, scale: float = 1.0) -> Any:
        return pytest.approx([float(case[f"{name}_{end}"]) * scale for end in ("min", "max")], rel=1e-9, abs=0.0)

    assert footprint.factor == FactorRef(_SET, f"ecologits:{case['model']}", "set_model")
    assert _ends(footprint.energy_wh) == written("energy_kwh", _WH)
    assert _ends(footprint.co2e_grams) == written("gwp_kgco2e", _G)
    assert _ends(footprint.co2e_operational_grams) == written("gwp_usage_kgco2e", _G)
    assert _ends(footprint.co2e_embodied_grams) == written("gwp_embodied_kgco2e", _G)
    assert _ends(footprint.abiotic_depletion_kgsbeq) == written("adpe_kgsbeq")
    assert _ends(footprint.primary_energy_mj) == written("pe_mj")
    assert _ends(footprint.water_liters) == written("wcf_l")


def _of_package(value: Any) -> tuple[float, float]:
    return (value.min, value.max) if isinstance(value, RangeValue) else (value, value)


def test_ten_thousand_random_calls_of_its_models_agree_with_the_package() -> None:
    randoms = random.Random(_SEED)
    factor_set = _TABLES.factor_set(_SET)
    lca = factor_set.lca
    assert lca is not None
    models = [row.lca for row in factor_set.models if row.lca is not None]
    zones = sorted({mix.zone for mix in lca.mixes.values()})
    assert len(models) == 351

    for _ in range(10_000):
        model, zone = randoms.choice(models), randoms.choice(zones)
        tokens, latency_s = randoms.randint(1, 20_000), 10 ** randoms.uniform(-2, 3)
        provider = lca.providers[model.provider]
        place = DataCentre(
            provider.pue_ratio, provider.wue_onsite_l_per_it_kwh, lca.mixes[zone].g_per_kwh, lca.mixes[zone]
        )

        ours = lca_impacts(lca.constants, model, place, tokens, latency_s)

        theirs = llm_impacts(model.provider, model.name, tokens, latency_s, zone)
        assert theirs.usage is not None
        assert theirs.embodied is not None
        for scale, own, other in (
            (_WH, ours.energy_wh, theirs.energy),
            (_G, ours.co2e_grams, theirs.gwp),
            (_G, ours.co2e_operational_grams, theirs.usage.gwp),
            (_G, ours.co2e_embodied_grams, theirs.embodied.gwp),
            (1.0, ours.primary_energy_mj, theirs.pe),
            (1.0, ours.abiotic_depletion_kgsbeq, theirs.adpe),
            (1.0, ours.water_liters, theirs.wcf),
        ):
            assert other is not None
            expected = [end * scale for end in _of_package(other.value)]
            assert own == pytest.approx(expected, rel=1e-9, abs=0.0), (model.name, zone, tokens, latency_s)


def test_two_thousand_models_of_any_size_and_speed_agree_with_the_package() -> None:
    randoms = random.Random(_SEED)
    lca = _TABLES.factor_set(_SET).lca
    assert lca is not None

    for _ in range(2_000):
        active = sorted(10 ** randoms.uniform(-1, 2.7) for _ in range(2))
        total = [size * randoms.uniform(1, 10) for size in active]
        total.sort()
        pue, wue = sorted(randoms.uniform(1, 2) for _ in range(2)), sorted(randoms.uniform(0, 2) for _ in range(2))
        tps = randoms.choice([None, randoms.uniform(5, 300)])
        ttft = randoms.choice([None, randoms.uniform(0.1, 5)])
        tokens, latency_s = randoms.randint(1, 50_000), randoms.choice([None, randoms.uniform(0.1, 500)])
        mix = Mix(
            "X", randoms.uniform(10, 900), randoms.uniform(1e-9, 1e-6), randoms.uniform(0.1, 12), randoms.uniform(0, 9)
        )
        model = LcaModel("x", "x", (total[0], total[1]), (active[0], active[1]), tps, ttft, ())
        place = DataCentre((pue[0], pue[1]), (wue[0], wue[1]), mix.g_per_kwh, mix)

        ours = (
            lca_impacts(lca.constants, model, place, tokens)
            if latency_s is None
            else lca_impacts(lca.constants, model, place, tokens, latency_s)
        )

        theirs = compute_llm_impacts(
            RangeValue(min=active[0], max=active[1]),
            RangeValue(min=total[0], max=total[1]),
            tokens,
            mix.adpe_kgsbeq_per_kwh,
            mix.primary_energy_mj_per_kwh,
            mix.g_per_kwh / _G,
            mix.water_l_per_kwh,
            RangeValue(min=pue[0], max=pue[1]),
            RangeValue(min=wue[0], max=wue[1]),
            latency_s,
            tps,
            ttft,
        )
        assert [end / _WH for end in ours.energy_wh] == pytest.approx(_of_package(theirs.energy.value), rel=1e-9)
        assert [end / _G for end in ours.co2e_grams] == pytest.approx(_of_package(theirs.gwp.value), rel=1e-9)
        assert ours.primary_energy_mj == pytest.approx(_of_package(theirs.pe.value), rel=1e-9)
        assert ours.abiotic_depletion_kgsbeq == pytest.approx(_of_package(theirs.adpe.value), rel=1e-9)
        assert ours.water_liters == pytest.approx(_of_package(theirs.wcf.value), rel=1e-9)


def test_a_provider_runs_where_the_set_takes_it_to_run() -> None:
    footprint = _estimate(Call(model="mistral-large-latest", usage=Usage(visible_output_tokens=100)))

    assert footprint.region == Region("SWE", "factor_provider")
    assert footprint.grid == Grid("SWE", pytest.approx(35.26), "ember-owid-2025-via-ecologits")


def test_a_region_that_the_call_names_has_the_mix_of_its_country() -> None:
    call = Call(
        model="gpt-4o", provider="azure.ai.openai", region="swedencentral", usage=Usage(visible_output_tokens=9)
    )

    footprint = _estimate(call)

    assert footprint.region == Region("swedencentral", "cloud_region")
    assert (footprint.grid.zone, footprint.grid.intensity_g_per_kwh) == ("SWE", pytest.approx(35.26))


def test_the_users_own_intensity_goes_before_the_mix() -> None:
    call = Call(model="gpt-4o", usage=Usage(visible_output_tokens=1000))

    footprint = _estimate(call, grid_intensity_g_per_kwh=50.0)

    assert footprint.grid == Grid("USA", 50.0, "user")
    assert footprint.energy_wh is not None
    assert _ends(footprint.co2e_operational_grams) == pytest.approx(
        (footprint.energy_wh.low * 0.05, footprint.energy_wh.high * 0.05), rel=1e-12
    )


def test_a_dated_snapshot_has_its_own_speed_and_another_date_that_of_the_model() -> None:
    usage = Usage(visible_output_tokens=1)

    ids = [
        _estimate(Call(model=model, usage=usage)).factor.id
        for model in ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06", "gpt-4o-2031-01-01", "azure/gpt-4o")
    ]

    assert ids == ["ecologits:gpt-4o-2024-08-06"] * 2 + ["ecologits:gpt-4o"] * 2


def test_a_call_without_output_is_answered_by_the_default_set() -> None:
    footprint = _estimate(Call(model="gpt-4o", usage=Usage(uncached_input_tokens=1000)))

    assert footprint.factor == FactorRef("otel-carbon-2026.11", "frontier", "fallback_pattern")
    assert footprint.notes[-1] == "ecologits-0.11.3 has no figure for these tokens: otel-carbon-2026.11 answered"


def test_a_model_that_the_package_does_not_know_is_answered_by_the_default_set() -> None:
    footprint = _estimate(Call(model="acme-70b", usage=Usage(visible_output_tokens=1000)))

    assert footprint.factor == FactorRef("otel-carbon-2026.11", "large", "fallback_size_hint")
    assert footprint.primary_energy_mj is None


@pytest.mark.parametrize(
    ("settings", "region"),
    [({}, None), ({"zone": "FRA"}, None), ({}, "eu-west-1"), ({"grid_intensity_g_per_kwh": 77.7}, "eu-west-1")],
)
def test_a_mark_is_recomputed_to_the_same_footprint(settings: dict[str, Any], region: str | None) -> None:
    call = Call(model="gpt-4o-mini", region=region, usage=Usage(visible_output_tokens=400), latency_s=2.5)
    there = _estimate(call, **settings)
    mark = Mark(Status.ESTIMATED, factor=there.factor, region=there.region, grid=there.grid)

    here = Estimator(_TABLES, EstimatorSettings(water=True)).recompute(call, mark)

    assert isinstance(here, Footprint)
    assert replace(here, notes=()) == replace(there, notes=())
