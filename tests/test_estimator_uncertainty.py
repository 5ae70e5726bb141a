"""The interval of a product is that of a simulation, as far as the delta method goes."""

from __future__ import annotations

import random
import statistics

import pytest

from otel_carbon.estimator import Estimator
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Interval, Usage

_DRAWS = 40_000


def _draw(interval: Interval, source: random.Random) -> float:
    """Return one value of a split log-normal with this median and these 5th and 95th percentiles."""
    normal = source.gauss(0.0, 1.0)
    spread = interval.spread_below() if normal < 0 else interval.spread_above()
    return float(interval.central * 2.718281828459045 ** (spread * normal))


def _simulated(*, energy_wh: Interval, pue: Interval, g_per_kwh: Interval, embodied: Interval) -> tuple[float, float]:
    source = random.Random(20261122)
    values = [
        _draw(energy_wh, source) / 1000 * (_draw(pue, source) * _draw(g_per_kwh, source) + _draw(embodied, source))
        for _ in range(_DRAWS)
    ]
    cuts = statistics.quantiles(values, n=20)
    return cuts[0], cuts[-1]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (
            Call(model="gpt-4o", provider="openai", usage=Usage(visible_output_tokens=10**6)),
            (Interval(1.12, 1.17, 1.3), Interval(129, 384, 654)),
        ),
        (
            Call(model="gpt-4o", provider="azure", region="swedencentral", usage=Usage(visible_output_tokens=10**6)),
            (Interval(1.16 / 1.03, 1.16, 1.16 * 1.03), Interval(20 / 1.4, 20, 20 * 1.4)),
        ),
        (
            Call(model="claude-haiku-4-5", provider="deepseek", usage=Usage(uncached_input_tokens=10**6)),
            (Interval(1.15, 1.27, 1.5), Interval(404, 525, 650)),
        ),
    ],
)
def test_the_interval_of_the_total_is_that_of_a_simulation(call: Call, place: tuple[Interval, Interval]) -> None:
    outcome = Estimator(FactorTables.bundled()).estimate(call)
    assert isinstance(outcome, Footprint)
    assert outcome.it_energy_wh is not None
    assert outcome.co2e_grams is not None

    low, high = _simulated(
        energy_wh=outcome.it_energy_wh, pue=place[0], g_per_kwh=place[1], embodied=Interval(10, 45, 110)
    )

    # The first-order sum puts the low end up to a fifth too low and the high end within about a tenth.
    assert outcome.co2e_grams.low == pytest.approx(low, rel=0.2)
    assert outcome.co2e_grams.high == pytest.approx(high, rel=0.12)


def test_where_the_grid_is_hardly_known_the_low_end_is_on_the_safe_side() -> None:
    """With a grid from 30 to 458 to 800 g/kWh the first-order sum is too low by a third, never too high."""
    outcome = Estimator(FactorTables.bundled()).estimate(
        Call(model="acme-7b", usage=Usage(uncached_input_tokens=10**6))
    )
    assert isinstance(outcome, Footprint)
    assert outcome.it_energy_wh is not None
    assert outcome.co2e_grams is not None

    low, high = _simulated(
        energy_wh=outcome.it_energy_wh,
        pue=Interval(1.09, 1.2, 1.54),
        g_per_kwh=Interval(30, 458, 800),
        embodied=Interval(10, 45, 110),
    )

    assert 0.6 * low < outcome.co2e_grams.low < low
    assert outcome.co2e_grams.high == pytest.approx(high, rel=0.12)


def test_a_flagship_in_the_united_states_per_million_tokens() -> None:
    call = Call(model="gpt-4o", provider="openai", usage=Usage(visible_output_tokens=10**6))
    outcome = Estimator(FactorTables.bundled()).estimate(call)

    assert isinstance(outcome, Footprint)
    assert outcome.co2e_grams is not None
    # Worked out apart from this code: 494.28 g, 89 to 2160.
    assert outcome.co2e_grams.central == pytest.approx(494.28, rel=1e-12)
    assert outcome.co2e_grams.low == pytest.approx(89, rel=0.01)
    assert outcome.co2e_grams.high == pytest.approx(2160, rel=0.01)
