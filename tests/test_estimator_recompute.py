"""A mark made elsewhere, back in full precision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import (
    Call,
    Confidence,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    Mark,
    NotEstimated,
    Region,
    Status,
    Usage,
)

_TABLES = FactorTables.bundled()
_HERE = Estimator(_TABLES)
_USAGE = Usage(uncached_input_tokens=1234, cache_read_tokens=567, visible_output_tokens=89, reasoning_tokens=10)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _mark(footprint: Footprint) -> Mark:
    """Return what a span says of a footprint: six significant digits, no source of the grid."""
    intensity = footprint.grid.intensity_g_per_kwh
    assert intensity is not None
    return Mark(
        status=Status.ESTIMATED,
        factor=footprint.factor,
        confidence=footprint.confidence.value,
        region=footprint.region,
        grid=Grid(footprint.grid.zone, _six_digits(intensity), None),
    )


def _footprint(estimator: Estimator, call: Call) -> Footprint:
    outcome = estimator.estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize(
    "settings",
    [
        EstimatorSettings(),
        EstimatorSettings(factor_set="jegham-2025.11"),
        EstimatorSettings(factor_set="mlenergy-2026.02"),
        EstimatorSettings(zone="FRA"),
        EstimatorSettings(zone="US-CAL-CISO"),
        EstimatorSettings(region="eu-west-3"),
        EstimatorSettings(grid_intensity_g_per_kwh=12.5),
        EstimatorSettings(region="eu-west-3", zone="SE"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        Call(model="gpt-4o", provider="openai", usage=_USAGE),
        Call(model="o3", provider="azure.ai.openai", region="swedencentral", usage=_USAGE),
        Call(model="eu.anthropic.claude-haiku-4-5-20251001-v1:0", provider="aws.bedrock", usage=_USAGE),
        Call(model="llama-3.1-8b", provider="vllm", usage=_USAGE),
        Call(model="acme-mini", usage=_USAGE),
        Call(model="acme", provider="aws.bedrock", caller_region="us-west-2", usage=_USAGE),
    ],
)
def test_a_mark_of_other_settings_is_recomputed_to_full_precision(settings: EstimatorSettings, call: Call) -> None:
    claimed = _footprint(Estimator(_TABLES, settings), call)

    recomputed = _HERE.recompute(call, _mark(claimed))

    assert isinstance(recomputed, Footprint)
    assert replace(recomputed, notes=(), grid=claimed.grid) == replace(claimed, notes=())


def test_a_mark_of_another_grid_publication_keeps_its_intensity_and_the_widths_of_its_place() -> None:
    call = Call(model="gpt-4o", provider="aws.bedrock", region="us-west-2", usage=_USAGE)
    claimed = _footprint(Estimator(_TABLES, EstimatorSettings(grid="ember")), call)

    recomputed = _HERE.recompute(call, _mark(claimed))

    assert isinstance(recomputed, Footprint)
    assert recomputed.grid.intensity_g_per_kwh == 384.4
    assert recomputed.co2e_grams == claimed.co2e_grams


def test_an_intensity_of_no_table_is_kept_as_recorded() -> None:
    call = Call(model="gpt-4o", provider="aws.bedrock", region="eu-west-1", usage=Usage(visible_output_tokens=10**6))
    mark = Mark(
        status=Status.ESTIMATED,
        factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"),
        region=Region("eu-west-1", "cloud_region"),
        grid=Grid("IE", 250.0, None),
    )

    recomputed = _HERE.recompute(call, mark)

    assert isinstance(recomputed, Footprint)
    assert recomputed.co2e_operational_grams is not None
    assert recomputed.co2e_operational_grams.central == pytest.approx(1.11 * 250.0, rel=1e-12)


def test_a_recorded_alias_does_not_need_to_be_known_here() -> None:
    elsewhere = Estimator(_TABLES, EstimatorSettings(model_aliases={"prod": "gpt-4o-mini"}))
    call = Call(model="prod", provider="azure.ai.openai", usage=_USAGE)
    claimed = _footprint(elsewhere, call)

    recomputed = _HERE.recompute(call, _mark(claimed))

    assert isinstance(recomputed, Footprint)
    assert recomputed.factor == FactorRef("otel-carbon-2026.11", "medium", "alias")
    assert recomputed.energy_wh == claimed.energy_wh


@pytest.mark.parametrize(
    "factor",
    [
        FactorRef("otel-carbon-2031.01", "frontier", "pattern"),
        FactorRef("otel-carbon-2026.11", "gigantic", "pattern"),
        FactorRef("seed-carbon-llm-2025", "gpt-5", "set_model"),
    ],
)
def test_a_factor_that_is_not_here_is_estimated_anew_and_the_answer_says_so(factor: FactorRef) -> None:
    call = Call(model="gpt-4o", provider="openai", usage=_USAGE)

    recomputed = _HERE.recompute(call, Mark(status=Status.ESTIMATED, factor=factor))

    note = f"estimated anew: factor {factor.id!r} of {factor.set!r} is not among these factor sets"
    assert recomputed == replace(_footprint(_HERE, call), notes=(note,))


def test_a_mark_without_a_factor_is_estimated_as_if_it_were_not_there() -> None:
    call = Call(model="gpt-4o", usage=_USAGE)

    assert _HERE.recompute(call, Mark(status=Status.DUPLICATE)) == _HERE.estimate(call)


def test_a_mark_does_not_give_tokens_to_a_call_that_has_none() -> None:
    mark = Mark(status=Status.ESTIMATED, factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"))

    assert _HERE.recompute(Call(model="gpt-4o"), mark) == NotEstimated(
        Status.NO_USAGE, "the call carries no token counts"
    )


def test_a_guess_stays_a_guess() -> None:
    call = Call(model="acme-mini", usage=Usage(visible_output_tokens=10**6))
    mark = Mark(status=Status.ESTIMATED, factor=FactorRef("otel-carbon-2026.11", "medium", "name_hint"))

    recomputed = _HERE.recompute(call, mark)

    assert isinstance(recomputed, Footprint)
    assert recomputed.confidence is Confidence.LOW
    assert recomputed.it_energy_wh == Interval(15.0, 140.0, 1600.0)
