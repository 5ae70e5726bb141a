"""Software Carbon Intensity, against its own formula."""

from __future__ import annotations

import pytest

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.estimator.api import estimate
from otel_carbon.estimator.sci import sci, sci_of_call
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Usage

_USAGE = Usage(uncached_input_tokens=1200, cache_read_tokens=100, visible_output_tokens=345, reasoning_tokens=55)


def _footprint(**settings: str) -> Footprint:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(**settings))  # type: ignore[arg-type]
    outcome = estimator.estimate(Call(model="gpt-4o", provider="openai", usage=_USAGE))
    assert isinstance(outcome, Footprint)
    return outcome


@pytest.mark.parametrize("factor_set", ["otel-carbon-2026.11", "jegham-2025.11"])
def test_it_is_energy_times_intensity_plus_embodied_over_the_unit(factor_set: str) -> None:
    footprint = _footprint(factor_set=factor_set)
    assert footprint.energy_wh is not None
    assert footprint.co2e_embodied_grams is not None
    assert footprint.grid.intensity_g_per_kwh is not None
    numerator = footprint.energy_wh.central / 1000 * footprint.grid.intensity_g_per_kwh
    numerator += footprint.co2e_embodied_grams.central

    found = sci_of_call(footprint, _USAGE)

    assert found is not None
    assert found.per_call_g.central == pytest.approx(numerator, rel=1e-12)
    assert found.per_1k_tokens_g.central == pytest.approx(numerator / 1.7, rel=1e-12)
    of_ten_users = sci(footprint, 10)
    assert of_ten_users is not None
    assert of_ten_users.high == pytest.approx(found.per_call_g.high / 10, rel=1e-12)


@pytest.mark.parametrize("factor_set", ["seed-carbon-llm-2025", "seed-model-class-kwh", "vendor-2025"])
def test_it_is_not_given_where_one_of_its_terms_is_not(factor_set: str) -> None:
    assert sci_of_call(_footprint(factor_set=factor_set), _USAGE) is None


@pytest.mark.parametrize("units", [0.0, -1.0, float("nan")])
def test_emissions_are_not_shared_among_nothing(units: float) -> None:
    with pytest.raises(ValueError, match="functional units must be above zero"):
        sci(_footprint(), units)


def test_an_estimate_has_it_as_plain_data() -> None:
    document = estimate("gpt-4o", output_tokens=500).to_dict()

    assert document["sci"]["per_call_grams"] == document["co2e_grams"]  # type: ignore[index]
    per_1k = document["sci"]["per_1k_tokens_grams"]["central"]  # type: ignore[index]
    assert per_1k == pytest.approx(2 * document["co2e_grams"]["central"], rel=1e-12)  # type: ignore[index]


def test_equivalents_can_be_those_of_the_product_page() -> None:
    ours, theirs = (estimate("gpt-4o", output_tokens=500, equivalents=name).equivalents for name in ("epa", "seed"))

    assert theirs.keys() == {"car_mile", "tree_month", "phone_charge"}
    assert ours["car_mile"] / theirs["car_mile"] == pytest.approx(400 / 393, rel=1e-12)
    with pytest.raises(ConfigError, match=r"^equivalents: must be one of epa, seed, not 'moon'$"):
        estimate("gpt-4o", output_tokens=1, equivalents="moon")
