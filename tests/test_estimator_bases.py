"""What holds for every call under every factor set, whatever its figures are given for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.explain import explain
from otel_carbon.factors import Basis, FactorTables
from otel_carbon.model import Call, FactorRef, Footprint, Interval, NotEstimated, Status, Usage

_TABLES = FactorTables.bundled()
_DEFAULT = "otel-carbon-2026.11"
_OTHERS = [each for each in _TABLES.set_ids if _TABLES.factor_set(each).basis is not Basis.PER_TOKEN]
_ESTIMATORS = {each: Estimator(_TABLES, EstimatorSettings(factor_set=each, water=True)) for each in _OTHERS}
_QUANTITIES = (
    *("energy_wh", "it_energy_wh", "co2e_grams", "co2e_operational_grams", "co2e_embodied_grams", "water_liters"),
    *("primary_energy_mj", "abiotic_depletion_kgsbeq"),
)
_COUNTS = st.integers(min_value=0, max_value=10**9)
_USAGES = st.builds(Usage, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS)
_SETS = st.sampled_from(_OTHERS)
_CALLS = st.builds(
    Call,
    model=st.sampled_from(
        ["gpt-4o", "mistral-large-2", "gemini-2.5-pro", "claude-opus-4-5", "acme", "gpt-4o-mini", None]
    ),
    provider=st.sampled_from(["openai", "aws.bedrock", "azure.ai.openai", "nobody", None]),
    region=st.sampled_from(["eu-west-1", "swedencentral", "nowhere", None]),
    latency_s=st.sampled_from([None, -1.0, 0.0, 0.5, 30.0, float("nan"), float("inf")]),
    usage=_USAGES,
)


def _intervals(footprint: Footprint) -> dict[str, Interval]:
    found = {name: getattr(footprint, name) for name in _QUANTITIES}
    return {name: value for name, value in found.items() if value is not None}


@given(_SETS, _CALLS)
def test_bounds_are_in_order_and_there_is_always_a_total(factor_set: str, call: Call) -> None:
    outcome = _ESTIMATORS[factor_set].estimate(call)

    if isinstance(outcome, NotEstimated):
        assert outcome.status is Status.NO_USAGE
        return
    assert outcome.co2e_grams is not None
    assert outcome.co2e_grams.central > 0.0
    for value in _intervals(outcome).values():
        assert 0.0 <= value.low <= value.central <= value.high


@given(_SETS, _CALLS, _COUNTS)
def test_more_output_never_takes_less(factor_set: str, call: Call, more: int) -> None:
    assert call.usage is not None
    call = replace(call, usage=replace(call.usage, visible_output_tokens=call.usage.visible_output_tokens + 1))
    assert call.usage is not None
    usage = replace(call.usage, visible_output_tokens=call.usage.visible_output_tokens + more)

    fewer, greater = (_ESTIMATORS[factor_set].estimate(each) for each in (call, replace(call, usage=usage)))

    assert isinstance(fewer, Footprint)
    assert isinstance(greater, Footprint)
    before, after = _intervals(fewer), _intervals(greater)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].central >= value.central * (1 - 1e-12)


@given(_SETS, _CALLS)
def test_every_footprint_has_a_working_that_ends_with_its_total(factor_set: str, call: Call) -> None:
    estimator = _ESTIMATORS[factor_set]
    outcome = estimator.estimate(call)
    if isinstance(outcome, Footprint):
        steps = explain(estimator, call, outcome)
        assert [step.value for step in steps if step.name == "total"] == [outcome.co2e_grams]


@pytest.mark.parametrize("factor_set", _OTHERS)
def test_counts_beyond_reason_are_not_estimated(factor_set: str) -> None:
    call = Call(model="mistral-large-2", usage=Usage(visible_output_tokens=10**400))

    outcome = _ESTIMATORS[factor_set].estimate(call)

    assert outcome == NotEstimated(Status.NO_USAGE, "the token counts are too large to be real")


@pytest.mark.parametrize("factor_set", _OTHERS)
def test_two_readings_bound_the_interval_together(factor_set: str) -> None:
    usage, alternative = (Usage(uncached_input_tokens=n, visible_output_tokens=n) for n in (100, 900))
    call = Call(model="mistral-large-2", usage=usage)

    one, other, both = (
        _ESTIMATORS[factor_set].estimate(each)
        for each in (call, replace(call, usage=alternative), replace(call, usage_alternative=alternative))
    )

    assert isinstance(one, Footprint)
    assert isinstance(other, Footprint)
    assert isinstance(both, Footprint)
    for name, value in _intervals(both).items():
        first, second = _intervals(one)[name], _intervals(other)[name]
        assert value == Interval(min(first.low, second.low), first.central, max(first.high, second.high))


def test_a_figure_for_output_tokens_says_nothing_of_a_call_without_any() -> None:
    call = Call(model="mistral-large-2", usage=Usage(uncached_input_tokens=1000))

    outcome = _ESTIMATORS["vendor-2025"].estimate(call)

    assert isinstance(outcome, Footprint)
    assert outcome.factor == FactorRef(_DEFAULT, "large", "fallback_pattern")


def test_one_call_can_ask_for_another_set() -> None:
    estimator = Estimator(_TABLES, EstimatorSettings(water=True))
    call = Call(model="gpt-4o", usage=Usage(visible_output_tokens=1000))

    for factor_set in _OTHERS:
        assert estimator.estimate(call, factor_set) == _ESTIMATORS[factor_set].estimate(call)
    assert estimator.estimate(call, factor_set=_DEFAULT) == estimator.estimate(call)
