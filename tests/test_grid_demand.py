"""Which hours are asked for: none twice, none lost, none that lies ahead, and in as few requests as will do."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.grid.demand import Demand, spans

HOUR_S = 3600


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(st.sets(st.integers(0, 10_000)), st.integers(1, 500))
def test_every_period_is_in_one_request_that_is_not_too_long(periods: set[int], most: int) -> None:
    groups = spans(sorted(periods), most)

    assert [period for group in groups for period in group] == sorted(periods)
    assert all(group[-1] - group[0] < most for group in groups)
    # Two neighbours would not fit in one, so there are no fewer than needed.
    assert all(after[0] - before[0] >= most for before, after in pairwise(groups))


def test_a_period_is_wanted_once_and_gone_when_it_was_answered() -> None:
    demand = Demand(HOUR_S, Clock())

    assert demand.add("IE", 5)
    assert not demand.add("IE", 5)
    assert demand.take(10 * HOUR_S) == {"IE": [5]}
    demand.answered("IE", [5], [], 10 * HOUR_S)
    assert demand.is_empty()
    assert demand.add("IE", 5)


@pytest.mark.parametrize(("age_hours", "wait_s"), [(0, 300.0), (23, 300.0), (30, 21_600.0)])
def test_a_period_that_nobody_has_is_wanted_again_after_a_while(age_hours: int, wait_s: float) -> None:
    clock = Clock()
    demand = Demand(HOUR_S, clock)
    demand.add("IE", 100)
    demand.answered("IE", [100], [100], (101 + age_hours) * HOUR_S)

    clock.now_s = wait_s - 1.0
    assert not demand.add("IE", 100)
    clock.now_s = wait_s + 1.0
    assert demand.add("IE", 100)


def test_a_place_that_a_source_does_not_have_rests_for_an_hour() -> None:
    clock = Clock()
    demand = Demand(HOUR_S, clock)
    demand.add("XX", 1)
    demand.refused("XX", [1])

    assert demand.is_empty()
    clock.now_s = 3599.0
    assert not demand.add("XX", 1)
    clock.now_s = 3601.0
    assert demand.add("XX", 1)


def test_what_lies_ahead_is_forgotten() -> None:
    demand = Demand(HOUR_S, Clock())
    demand.add("IE", 10)
    demand.add("IE", 11)

    assert demand.take(10 * HOUR_S + 1.0) == {"IE": [10]}
    assert not demand.add("IE", 11)


def test_no_number_of_hours_fills_the_memory() -> None:
    demand = Demand(HOUR_S, Clock())
    for period in range(30_000):
        demand.add("IE", period)

    assert sum(map(len, demand.take(1e12).values())) == 20_000
