"""What holds for every call."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.energy import energy_wh
from otel_carbon.estimator.per_wh import per_wh
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Interval, Status, Usage

_TABLES = FactorTables.bundled()
_SETS = ("otel-carbon-2026.11", "jegham-2025.11", "mlenergy-2026.02")
_ESTIMATORS = {set_id: Estimator(_TABLES, EstimatorSettings(factor_set=set_id, water=True)) for set_id in _SETS}
_QUANTITIES = (
    *("energy_wh", "it_energy_wh", "co2e_grams", "co2e_operational_grams", "co2e_embodied_grams", "water_liters"),
)

_COUNTS = st.integers(min_value=0, max_value=10**12)
_USAGES = st.builds(Usage, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS)
_MODELS = st.sampled_from(
    ["gpt-4o", "o3", "acme-mini", "acme", "llama-3.1-8b", "text-embedding-3-large", "gpt-5-pro", "dall-e-3", "", None]
)
_PROVIDERS = st.sampled_from(["openai", "aws.bedrock", "vllm", "nobody", "", None])
_REGIONS = st.sampled_from(["eu-west-1", "swedencentral", "global", "nowhere", None])
_TEXTS = st.text(alphabet="aA0-/:.@_ \x00\n\ud800é", max_size=30)


def _footprint(set_id: str, call: Call) -> Footprint:
    outcome = _ESTIMATORS[set_id].estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


def _intervals(footprint: Footprint) -> list[Interval]:
    return [getattr(footprint, name) for name in _QUANTITIES]


@given(st.sampled_from(_SETS), _MODELS, _PROVIDERS, _REGIONS, _USAGES)
def test_bounds_are_in_order_and_nothing_counted_is_zero(
    set_id: str, model: str | None, provider: str | None, region: str | None, usage: Usage
) -> None:
    outcome = _ESTIMATORS[set_id].estimate(Call(model=model, provider=provider, region=region, usage=usage))

    if usage == Usage():
        assert not isinstance(outcome, Footprint)
        assert outcome.status is Status.NO_USAGE
        return
    assert isinstance(outcome, Footprint)
    for interval in _intervals(outcome):
        assert 0.0 < interval.low <= interval.central <= interval.high < math.inf


@given(st.sampled_from(_SETS), _MODELS, _PROVIDERS, _USAGES, st.sampled_from(list(Usage.__dataclass_fields__)))
def test_more_tokens_never_use_less_energy(
    set_id: str, model: str | None, provider: str | None, usage: Usage, kind: str
) -> None:
    usage = replace(usage, visible_output_tokens=usage.visible_output_tokens + 1)
    more = replace(usage, **{kind: getattr(usage, kind) + 1000})

    before = _footprint(set_id, Call(model=model, provider=provider, usage=usage))
    after = _footprint(set_id, Call(model=model, provider=provider, usage=more))

    for one, other in zip(_intervals(before), _intervals(after), strict=True):
        assert one.central <= other.central
    assert before.it_energy_wh is not None
    assert after.it_energy_wh is not None
    assert before.it_energy_wh.high <= after.it_energy_wh.high * (1 + 1e-12)


@given(_MODELS, _USAGES, st.floats(min_value=1.0, max_value=3.0), st.floats(min_value=0.0, max_value=2000.0))
def test_pue_counts_once(model: str | None, usage: Usage, pue_ratio: float, g_per_kwh: float) -> None:
    usage = replace(usage, visible_output_tokens=usage.visible_output_tokens + 1)
    settings = EstimatorSettings(pue_ratio=pue_ratio, grid_intensity_g_per_kwh=g_per_kwh)
    outcome = Estimator(_TABLES, settings).estimate(Call(model=model, usage=usage))

    assert isinstance(outcome, Footprint)
    it_wh, meter_wh = outcome.it_energy_wh, outcome.energy_wh
    operational, embodied, total = outcome.co2e_operational_grams, outcome.co2e_embodied_grams, outcome.co2e_grams
    assert it_wh is not None
    assert meter_wh is not None
    assert operational is not None
    assert embodied is not None
    assert total is not None
    for bound in ("low", "central", "high"):
        assert math.isclose(getattr(meter_wh, bound), getattr(it_wh, bound) * pue_ratio, rel_tol=1e-12)
    assert math.isclose(operational.central, meter_wh.central / 1000 * g_per_kwh, rel_tol=1e-12, abs_tol=1e-300)
    assert math.isclose(embodied.central, it_wh.central / 1000 * 45, rel_tol=1e-12)
    assert math.isclose(total.central, operational.central + embodied.central, rel_tol=1e-12)


@given(_USAGES)
def test_the_fast_path_is_the_pure_formula(usage: Usage) -> None:
    usage = replace(usage, visible_output_tokens=usage.visible_output_tokens + 1)
    call = Call(model="gpt-4o", provider="openai", usage=usage)
    found = _ESTIMATORS["otel-carbon-2026.11"].derive(call)
    assert found is not None
    assert found.row.rates is not None
    energy = energy_wh(usage, found.row.rates)
    of_one_wh = per_wh(found.factor_set.boundary, found.place, _TABLES.constants)

    footprint = _footprint("otel-carbon-2026.11", call)

    for name in _QUANTITIES:
        expected: Interval = energy * getattr(of_one_wh, name)
        value: Interval = getattr(footprint, name)
        for bound in ("low", "central", "high"):
            assert math.isclose(getattr(value, bound), getattr(expected, bound), rel_tol=1e-9)


_CALLS = st.builds(
    Call,
    model=_TEXTS,
    request_model=_TEXTS,
    provider=_TEXTS,
    region=_TEXTS,
    server_address=_TEXTS,
    caller_region=_TEXTS,
    at_unix_nano=st.integers(min_value=-(2**70), max_value=2**70),
    usage=st.just(Usage(visible_output_tokens=1)),
)


@given(_CALLS)
def test_no_call_can_make_it_raise(call: Call) -> None:
    assert isinstance(_ESTIMATORS["otel-carbon-2026.11"].estimate(call), Footprint)
