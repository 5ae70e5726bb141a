"""Two published tables, row by row as their pages print them, and the warning that comes with each."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from otel_carbon.cli.columns import significant
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.factors.equivalents import equivalents_of
from otel_carbon.model import Call, Footprint, Grid, Mark, Region, Status, Usage

_TABLES = FactorTables.bundled()
_PER_1K = "seed-carbon-llm-2025"
_PER_CLASS = "seed-model-class-kwh"
_DEFAULT = "otel-carbon-2026.11"

# Model, g CO2e per 1k tokens, confidence and source as the page prints them.
_COEFFICIENTS = (
    ("gpt-4o", "0.3", "Estimated", "Gravity Climate — méthodo. IA (Grove), ~classe GPT-4"),
    ("gpt-4o-mini", "0.1", "Estimated", "Gravity Climate 2025"),
    ("gpt-4-turbo", "0.35", "Estimated", "Gravity Climate 2025"),
    ("gpt-3.5-turbo", "0.08", "Estimated", "Gravity Climate 2025"),
    ("claude-3-5-sonnet", "0.3", "Estimated", "Gravity — alignement classe GPT-4 (estimé)"),
    ("claude-3-opus", "0.45", "Estimated", "Gravity Climate 2025"),
    ("claude-3-haiku", "0.1", "Estimated", "Gravity Climate 2025"),
    (
        "mistral-large-2",
        "2.85",
        "Measured",
        "Mistral LCA 2025 (1,14 gCO₂e / 400 tokens inférence ; Carbone 4 / ADEME)",
    ),
)
# Models as the page names them, names that belong to them, kWh per 1M tokens, how many times the first row.
_CLASSES = (
    ("Claude Haiku / GPT-4o-mini", ("claude-3-5-haiku-20241022", "gpt-4o-mini"), "0.005", "1x"),
    ("Llama 3.2 8B", ("llama-3.2-8b", "meta-llama/Llama-3.1-8B-Instruct"), "0.008", "1.6x"),
    ("Claude Sonnet / GPT-4o", ("claude-sonnet-4-5-20250929", "gpt-4o-2024-11-20"), "0.015", "3x"),
    ("DeepSeek V3", ("deepseek-chat", "deepseek-v3"), "0.015", "3x"),
    ("Llama 70B / Qwen 72B", ("llama-3.3-70b-versatile", "Qwen/Qwen2.5-72B-Instruct"), "0.020", "4x"),
    ("Claude Opus / GPT-4", ("claude-opus-4-1-20250805", "gpt-4"), "0.025", "5x"),
)
# Region as the page names it and as the set does, cloud regions there, gCO2 per kWh.
_REGIONS = (
    ("EU North (Nordic)", "eu-north", (("aws.bedrock", "eu-north-1"), ("azure.ai.openai", "swedencentral")), 50),
    ("US West (Oregon)", "us-west-oregon", (("aws.bedrock", "us-west-2"), ("gcp.vertex_ai", "us-west1")), 120),
    ("EU West (Ireland)", "eu-west-ireland", (("aws.bedrock", "eu-west-1"), ("azure.ai.openai", "northeurope")), 290),
    ("US East (Virginia)", "us-east-virginia", (("aws.bedrock", "us-east-1"), ("azure.ai.openai", "eastus")), 380),
    ("US Central (Iowa)", "us-central-iowa", (("gcp.vertex_ai", "us-central1"), ("azure.ai.openai", "centralus")), 450),
    ("Asia East", "asia-east", (("gcp.vertex_ai", "asia-east1"), ("azure.ai.openai", "eastasia")), 550),
)


def _estimate(factor_set: str, call: Call, **settings: float | str) -> Footprint:
    outcome = Estimator(_TABLES, EstimatorSettings(factor_set=factor_set, **settings)).estimate(call)  # type: ignore[arg-type]
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize(("model", "grams", "confidence", "source"), _COEFFICIENTS)
def test_a_coefficient_is_the_one_on_the_page(model: str, grams: str, confidence: str, source: str) -> None:
    footprint = _estimate(_PER_1K, Call(model=model, usage=Usage(uncached_input_tokens=600, visible_output_tokens=400)))
    row = next(row for row in _TABLES.factor_set(_PER_1K).models if row.name == model)

    assert footprint.co2e_grams is not None
    assert footprint.co2e_grams.central == float(grams)
    assert footprint.confidence.value == confidence.lower()
    assert (row.published["published_confidence"], row.published["published_source"]) == (confidence, source)


def test_the_page_has_as_many_rows_as_the_set() -> None:
    assert [row.name for row in _TABLES.factor_set(_PER_1K).models] == [model for model, *_ in _COEFFICIENTS]
    assert [row.published["label"] for row in _TABLES.factor_set(_PER_CLASS).models] == [row[0] for row in _CLASSES]
    assert len(_TABLES.factor_set(_PER_CLASS).regions) == len(_REGIONS)


def test_a_total_in_grams_says_nothing_of_energy_place_or_parts() -> None:
    footprint = _estimate(_PER_1K, Call(model="gpt-4o", region="eu-west-1", usage=Usage(visible_output_tokens=1000)))

    assert (footprint.energy_wh, footprint.it_energy_wh, footprint.water_liters) == (None, None, None)
    assert (footprint.co2e_operational_grams, footprint.co2e_embodied_grams) == (None, None)
    assert (footprint.region, footprint.grid) == (Region(None, "factor_included"), Grid(None, None, None))


def test_a_measured_label_of_the_page_stands_with_what_it_means() -> None:
    footprint = _estimate(_PER_1K, Call(model="mistral-large-2", usage=Usage(visible_output_tokens=1000)))

    assert footprint.notes[1].startswith(
        "published as Measured, by our definition vendor-reported: 1.14 g / 400 tokens"
    )


@pytest.mark.parametrize(("label", "models", "kwh", "times"), _CLASSES)
def test_a_class_has_the_energy_on_the_page(label: str, models: tuple[str, ...], kwh: str, times: str) -> None:
    for model in models:
        usage = Usage(uncached_input_tokens=400_000, cache_read_tokens=100_000, visible_output_tokens=500_000)
        footprint = _estimate(_PER_CLASS, Call(model=model, usage=usage))
        row = next(row for row in _TABLES.factor_set(_PER_CLASS).models if row.name == footprint.factor.id)

        assert footprint.energy_wh is not None
        assert footprint.energy_wh.central == pytest.approx(float(kwh) * 1000, rel=1e-12)
        assert row.published["label"] == label
        assert float(kwh) / 0.005 == pytest.approx(float(times.removesuffix("x")), rel=1e-12)


@pytest.mark.parametrize(("label", "zone", "places", "g_per_kwh"), _REGIONS)
def test_a_region_has_the_intensity_on_the_page(
    label: str, zone: str, places: tuple[tuple[str, str], ...], g_per_kwh: int
) -> None:
    for provider, region in places:
        call = Call(model="gpt-4o", provider=provider, region=region, usage=Usage(visible_output_tokens=1_000_000))
        footprint = _estimate(_PER_CLASS, call)

        assert footprint.region == Region(region, "factor_region")
        assert footprint.grid == Grid(zone, float(g_per_kwh), "seed-004"), label
        assert footprint.co2e_grams is not None
        assert footprint.co2e_grams.central == pytest.approx(0.015 * g_per_kwh, rel=1e-12)
        assert footprint.co2e_operational_grams == footprint.co2e_grams
        assert footprint.co2e_embodied_grams is None


def test_one_kilogram_is_worth_what_the_page_says() -> None:
    found = equivalents_of(1000.0, _TABLES.equivalents["seed"])

    assert found["car_mile"] == 2.5
    assert significant(found["tree_month"], 2) == "0.57"
    assert significant(found["phone_charge"], 3) == "122"


def test_the_users_own_zone_goes_before_the_regions_of_a_set() -> None:
    call = Call(model="gpt-4o", region="eu-north-1", usage=Usage(visible_output_tokens=1000))

    footprint = _estimate(_PER_CLASS, call, zone="FRA")

    assert (footprint.region, footprint.grid.zone) == (Region("FRA", "user"), "FRA")


@pytest.mark.parametrize(
    ("factor_set", "call", "settings"),
    [
        (_PER_1K, Call(model="gpt-4o", region="eu-west-1"), {}),
        (_PER_CLASS, Call(model="gpt-4o", provider="aws.bedrock", region="eu-north-1"), {}),
        (_PER_CLASS, Call(model="gpt-4o", provider="aws.bedrock", region="eu-north-1"), {"zone": "FRA"}),
        (_PER_CLASS, Call(model="gpt-4o", region="eu-north-1"), {"grid_intensity_g_per_kwh": 33.3}),
        (_PER_CLASS, Call(model="deepseek-chat", provider="deepseek"), {}),
        ("vendor-2025", Call(model="gemini-2.5-pro"), {}),
        ("vendor-2025", Call(model="mistral-large-2"), {}),
        ("vendor-2025", Call(model="chatgpt-4o-latest", provider="openai"), {}),
    ],
)
def test_a_mark_is_recomputed_to_the_same_footprint(
    factor_set: str, call: Call, settings: dict[str, float | str]
) -> None:
    call = replace(call, usage=Usage(uncached_input_tokens=300, visible_output_tokens=200))
    there = _estimate(factor_set, call, **settings)
    recorded = replace(there.grid, source=None)

    here = Estimator(_TABLES).recompute(
        call, Mark(Status.ESTIMATED, factor=there.factor, region=there.region, grid=recorded)
    )

    assert isinstance(here, Footprint)
    assert replace(here, notes=()) == replace(there, notes=())


@pytest.mark.parametrize("factor_set", [_PER_1K, _PER_CLASS])
def test_who_selects_a_set_far_from_the_literature_is_told_once(
    factor_set: str, caplog: pytest.LogCaptureFixture
) -> None:
    tables = FactorTables()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            Estimator(tables, EstimatorSettings(factor_set=factor_set))
    call = Call(model="gpt-4o", usage=Usage(visible_output_tokens=1))

    warning = f"{factor_set}: {_TABLES.factor_set(factor_set).warning}"
    assert [record.getMessage() for record in caplog.records] == [f"factor set {warning}"]
    assert _estimate(factor_set, call).notes[0] == warning


def _grams_per_1k(factor_set: str, model: str, zone: str, usage: Usage) -> float:
    footprint = _estimate(factor_set, Call(model=model, provider="openai", usage=usage), zone=zone)
    assert footprint.co2e_grams is not None
    return footprint.co2e_grams.central


def test_the_warning_of_the_first_page_says_how_far_it_lies() -> None:
    warning = str(_TABLES.factor_set(_PER_1K).warning)
    even, answer = Usage(uncached_input_tokens=500, visible_output_tokens=500), Usage(visible_output_tokens=1000)
    ours = {model: _grams_per_1k(_DEFAULT, model, "USA", even) for model in ("gpt-4o", "gpt-4o-mini")}
    of_class = [
        2.85 / _grams_per_1k(_DEFAULT, "mistral-large-2", zone, usage)
        for zone in ("USA", "FRA")
        for usage in (even, answer)
    ]

    assert f"on the US grid ({ours['gpt-4o']:.2f})" in warning
    assert f"gpt-4o-mini is {0.1 / ours['gpt-4o-mini']:.1f} times above it" in warning
    assert "10 to 100 times above its class" in warning
    assert min(of_class) > 10
    assert max(of_class) < 100


def test_the_warning_of_the_second_page_says_how_far_it_lies() -> None:
    ratios = []
    for inputs, outputs in ((500_000, 500_000), (10_000_000 / 11, 1_000_000 / 11)):
        usage = Usage(uncached_input_tokens=round(inputs), visible_output_tokens=round(outputs))
        footprint = _estimate(_DEFAULT, Call(model="gpt-4o", usage=usage))
        assert footprint.it_energy_wh is not None
        ratios.append(footprint.it_energy_wh.central / 15)

    assert ratios == [pytest.approx(37.3, abs=0.1), pytest.approx(13.3, abs=0.1)]
    assert "13 to 40 times below the literature" in str(_TABLES.factor_set(_PER_CLASS).warning)
