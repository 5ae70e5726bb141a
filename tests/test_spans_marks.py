"""The mark on a span: what is written, and what is read back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_carbon.model import (
    Confidence,
    FactorRef,
    Footprint,
    Grid,
    Interval,
    Mark,
    NotEstimated,
    Region,
    Status,
)
from otel_carbon.spans import mark_attributes, read_mark

FOOTPRINT = Footprint(
    model="gpt-4o",
    energy_wh=Interval(0.123456789, 0.42, 2.3),
    it_energy_wh=Interval(0.1, 0.36, 2.0),
    co2e_grams=Interval(0.03, 0.16, 0.98),
    co2e_operational_grams=Interval(0.02, 0.142, 0.9),
    co2e_embodied_grams=Interval(0.004, 0.018, 0.08),
    water_liters=None,
    factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"),
    confidence=Confidence.CLASS_DEFAULT,
    region=Region("eu-west-3", "cloud_region"),
    grid=Grid("FR", 41.0, "electricitymaps-yearly-via-co2js"),
)


def with_water(liters: float) -> Footprint:
    fields = {name: getattr(FOOTPRINT, name) for name in FOOTPRINT.__slots__}
    return Footprint(**{**fields, "water_liters": Interval(0.0, liters, 2 * liters)})


def test_an_estimate_is_written_with_everything_that_is_known() -> None:
    assert mark_attributes(FOOTPRINT) == {
        "otel_carbon.status": "estimated",
        "otel_carbon.energy_wh": 0.42,
        "otel_carbon.energy_wh_low": 0.123457,
        "otel_carbon.energy_wh_high": 2.3,
        "otel_carbon.co2e_grams": 0.16,
        "otel_carbon.co2e_grams_low": 0.03,
        "otel_carbon.co2e_grams_high": 0.98,
        "otel_carbon.co2e_embodied_grams": 0.018,
        "otel_carbon.region.name": "eu-west-3",
        "otel_carbon.region.source": "cloud_region",
        "otel_carbon.grid.zone": "FR",
        "otel_carbon.grid.intensity_g_per_kwh": 41.0,
        "otel_carbon.factor.set": "otel-carbon-2026.11",
        "otel_carbon.factor.id": "frontier",
        "otel_carbon.factor.match": "pattern",
        "otel_carbon.confidence": "class_default",
    }


def test_what_is_not_known_is_left_out_and_never_written_as_zero() -> None:
    bare = Footprint(
        model="x",
        energy_wh=None,
        it_energy_wh=None,
        co2e_grams=Interval(0.1, 0.2, 0.3),
        co2e_operational_grams=None,
        co2e_embodied_grams=None,
        water_liters=None,
        factor=FactorRef("seed-carbon-llm-2025", "gpt-4", "set_model"),
        confidence=Confidence.LOW,
        region=Region(None, "factor_included"),
        grid=Grid(None, None, None),
    )

    assert set(mark_attributes(bare)) == {
        "otel_carbon.status",
        "otel_carbon.co2e_grams",
        "otel_carbon.co2e_grams_low",
        "otel_carbon.co2e_grams_high",
        "otel_carbon.region.source",
        "otel_carbon.factor.set",
        "otel_carbon.factor.id",
        "otel_carbon.factor.match",
        "otel_carbon.confidence",
    }


@pytest.mark.parametrize("status", [Status.NO_USAGE, Status.FAILED, Status.DUPLICATE, Status.UNKNOWN_MODEL])
def test_a_call_without_an_estimate_has_a_status_alone(status: Status) -> None:
    attributes = mark_attributes(NotEstimated(status, "because"))

    assert attributes == {"otel_carbon.status": status.value}
    assert read_mark(attributes) == Mark(status)


def test_a_mark_is_read_back_as_it_was_written() -> None:
    assert read_mark(mark_attributes(with_water(0.00300004))) == Mark(
        status=Status.ESTIMATED,
        energy_wh=Interval(0.123457, 0.42, 2.3),
        co2e_grams=Interval(0.03, 0.16, 0.98),
        co2e_embodied_grams=0.018,
        factor=FactorRef("otel-carbon-2026.11", "frontier", "pattern"),
        confidence="class_default",
        region=Region("eu-west-3", "cloud_region"),
        grid=Grid("FR", 41.0, None),
        water_liters=0.00300004,
    )


@given(st.lists(st.floats(0.0, 1e12), min_size=3, max_size=3).map(sorted))
def test_rounding_keeps_the_order_and_six_digits(bounds: list[float]) -> None:
    fields = {name: getattr(FOOTPRINT, name) for name in FOOTPRINT.__slots__}
    mark = read_mark(mark_attributes(Footprint(**{**fields, "energy_wh": Interval(*bounds)})))

    assert mark is not None
    assert mark.energy_wh is not None
    assert mark.energy_wh.central == pytest.approx(bounds[1], rel=5e-6)
    assert mark.energy_wh.low <= mark.energy_wh.central <= mark.energy_wh.high


@pytest.mark.parametrize("status", [None, "", "partial", 1, ["estimated"], b"estimated"])
def test_without_a_known_status_there_is_no_mark(status: Any) -> None:
    assert read_mark({"otel_carbon.status": status, "otel_carbon.energy_wh": 1.0}) is None


@pytest.mark.parametrize("unreal", [-1.0, math.nan, math.inf, True, "1.0", None, 10**400])
def test_a_claim_that_cannot_be_real_is_left_out(unreal: Any) -> None:
    mark = read_mark({"otel_carbon.status": "estimated", "otel_carbon.energy_wh": unreal})

    assert mark == Mark(Status.ESTIMATED)


@pytest.mark.parametrize("intensity_g_per_kwh", [10_001.0, 1.7e308])
def test_an_intensity_that_no_grid_has_is_left_out_and_the_zone_stays(intensity_g_per_kwh: float) -> None:
    claimed = {"otel_carbon.grid.zone": "FR", "otel_carbon.grid.intensity_g_per_kwh": intensity_g_per_kwh}

    mark = read_mark({"otel_carbon.status": "estimated", **claimed})

    assert mark is not None
    assert mark.grid == Grid(zone="FR", intensity_g_per_kwh=None, source=None)


def test_a_claimed_bound_that_is_missing_or_out_of_order_is_the_central_value() -> None:
    mark = read_mark(
        {
            "otel_carbon.status": "estimated",
            "otel_carbon.energy_wh": 2,
            "otel_carbon.energy_wh_low": 3.0,
            "otel_carbon.co2e_grams": 1.0,
            "otel_carbon.co2e_grams_high": 4.0,
        }
    )

    assert mark == Mark(Status.ESTIMATED, energy_wh=Interval(2.0, 2.0, 2.0), co2e_grams=Interval(1.0, 1.0, 4.0))
