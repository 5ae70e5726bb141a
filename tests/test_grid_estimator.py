"""An estimator with a source of hourly intensities: the hour of the call, its bounds, and what is said of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from otel_carbon.estimator import Estimator, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.model import Call, Footprint, Grid, GridReading, Mark, Status, Usage
from otel_carbon.spans import mark_attributes, read_mark

HOUR_NS = 3_600 * 10**9
TEN_NS = 1_795_168_800 * 10**9  # 2026-11-20T10:00Z
CALL = Call(
    provider="aws.bedrock",
    model="claude-sonnet-4-5",
    region="eu-west-1",
    usage=Usage(uncached_input_tokens=1000, visible_output_tokens=500),
    at_unix_nano=TEN_NS + 1,
)
YEARLY = Grid("IE", 301.0, "electricitymaps-yearly-via-co2js")


class Hours:
    """A source that knows some hours of one zone, and remembers what it was asked."""

    def __init__(self, *readings: GridReading) -> None:
        self.readings = readings
        self.asked: list[tuple[tuple[str, ...], int]] = []

    def reading(self, grid_keys: tuple[str, ...], at_unix_nano: int) -> GridReading | None:
        self.asked.append((grid_keys, at_unix_nano))
        known = [each for each in self.readings if each.start_unix_nano <= at_unix_nano]
        return max(known, key=lambda each: each.start_unix_nano, default=None)


def reading(g_per_kwh: float, start_unix_nano: int = TEN_NS, *, estimated: bool = False) -> GridReading:
    return GridReading("IE", g_per_kwh, start_unix_nano, start_unix_nano + HOUR_NS, "test-hourly", estimated)


def footprint(hours: Hours | None, call: Call = CALL, settings: EstimatorSettings | None = None) -> Footprint:
    outcome = Estimator(FactorTables.bundled(), settings or EstimatorSettings(), hours).estimate(call)
    assert isinstance(outcome, Footprint)
    return outcome


def operational_g(found: Footprint) -> float:
    assert found.co2e_operational_grams is not None
    return found.co2e_operational_grams.central


def test_a_call_gets_the_intensity_of_its_own_hour() -> None:
    hours = Hours(reading(100.0), reading(400.0, TEN_NS + HOUR_NS))
    first, late = footprint(hours), footprint(hours, replace(CALL, at_unix_nano=TEN_NS + HOUR_NS))

    assert first.grid == Grid("IE", 100.0, "test-hourly", TEN_NS, "measured")
    assert late.grid == Grid("IE", 400.0, "test-hourly", TEN_NS + HOUR_NS, "measured")
    assert operational_g(late) == pytest.approx(4 * operational_g(first), rel=1e-12)
    assert "grid intensity of the period from 2026-11-20T10:00Z" in first.notes


def test_a_source_is_asked_for_the_cloud_region_and_for_its_zone() -> None:
    hours = Hours(reading(100.0))
    footprint(hours)

    assert hours.asked[-1] == (("aws:eu-west-1", "IE"), CALL.at_unix_nano)


def test_only_the_grid_changes() -> None:
    hourly, yearly = footprint(Hours(reading(602.0))), footprint(None)

    assert yearly.grid == YEARLY
    assert hourly.energy_wh == yearly.energy_wh
    assert hourly.co2e_embodied_grams == yearly.co2e_embodied_grams
    assert operational_g(hourly) == pytest.approx(2 * operational_g(yearly), rel=1e-12)


def test_the_bounds_of_an_hour_are_as_wide_as_those_of_a_year() -> None:
    hourly, yearly = footprint(Hours(reading(100.0))), footprint(None)

    assert hourly.co2e_operational_grams is not None
    assert yearly.co2e_operational_grams is not None
    for bound in ("low", "high"):
        of_hour = getattr(hourly.co2e_operational_grams, bound) / operational_g(hourly)
        assert of_hour == pytest.approx(getattr(yearly.co2e_operational_grams, bound) / operational_g(yearly))


def test_an_hour_that_is_not_known_leaves_the_year_and_says_so() -> None:
    found = footprint(Hours())

    assert found.grid == replace(YEARLY, quality="yearly")
    assert "no hourly grid intensity was known when this was estimated: the average of a year is used" in found.notes


def test_an_estimated_hour_and_one_before_the_call_say_what_they_are() -> None:
    estimated = footprint(Hours(reading(100.0, estimated=True)))
    carried = footprint(Hours(reading(100.0)), replace(CALL, at_unix_nano=TEN_NS + HOUR_NS))

    assert estimated.grid.quality == "estimated"
    assert "grid intensity of the period from 2026-11-20T10:00Z, estimated by its source" in estimated.notes
    assert carried.grid.quality == "carried_forward"
    assert "grid intensity of the period from 2026-11-20T10:00Z, the last one known before the call" in carried.notes


@pytest.mark.parametrize(
    ("call", "settings"),
    [
        (replace(CALL, provider="openai", region=None, model="gpt-4o"), EstimatorSettings()),
        (replace(CALL, region=None, model="us.anthropic.claude-sonnet-4-5-20250929-v1:0"), EstimatorSettings()),
        (CALL, EstimatorSettings(grid_intensity_g_per_kwh=41.0)),
    ],
)
def test_where_no_single_zone_is_known_no_hour_is_asked_for(call: Call, settings: EstimatorSettings) -> None:
    hours = Hours(reading(100.0))
    found = footprint(hours, call, settings)

    assert found.grid.period_start_unix_nano is None
    assert [keys for keys, at in hours.asked if at == call.at_unix_nano] == []


def test_a_zone_of_the_users_is_asked_for() -> None:
    hours = Hours(reading(100.0))
    footprint(hours, replace(CALL, provider="openai", region=None), EstimatorSettings(zone="SE-SE3"))

    assert hours.asked[-1][0] == ("SE-SE3",)


def test_a_call_without_a_time_gets_the_year() -> None:
    found = footprint(Hours(reading(100.0)), replace(CALL, at_unix_nano=None))

    assert found.grid == replace(YEARLY, quality="yearly")


def test_a_year_that_stood_in_for_an_hour_is_recorded_as_such() -> None:
    found = footprint(Hours())
    written = mark_attributes(found)
    read = read_mark(written)

    assert written["otel_carbon.grid.quality"] == "yearly"
    assert read is not None
    assert Estimator(FactorTables.bundled()).recompute(CALL, read) == found


@pytest.mark.parametrize("quality", ["measured", "estimated", "carried_forward"])
def test_a_recorded_hour_is_reproduced_and_not_looked_up_again(quality: str) -> None:
    at = TEN_NS + HOUR_NS if quality == "carried_forward" else TEN_NS
    call = replace(CALL, at_unix_nano=at)
    first = footprint(Hours(reading(123.456, estimated=quality == "estimated")), call)
    assert first.grid.quality == quality
    hours = Hours(reading(999.0), reading(999.0, TEN_NS + HOUR_NS))
    elsewhere = Estimator(FactorTables.bundled(), EstimatorSettings(), hours)
    hours.asked.clear()

    mark = Mark(Status.ESTIMATED, factor=first.factor, region=first.region, grid=first.grid)

    assert elsewhere.recompute(call, mark) == first
    assert hours.asked == []
    assert Estimator(FactorTables.bundled()).recompute(call, mark) == first


def test_the_working_shows_the_intensity_of_the_hour() -> None:
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(), Hours(reading(100.0)))
    derived = estimator.derive(CALL)

    assert derived is not None
    assert derived.place.intensity_g_per_kwh.central == 100.0
    assert derived.location.grid.source == "test-hourly"


@pytest.mark.parametrize("g_per_kwh", [float("nan"), float("inf"), -1.0, 3000.1])
def test_what_no_grid_has_had_is_not_a_reading(g_per_kwh: float) -> None:
    with pytest.raises(ValueError, match="not a grid intensity"):
        reading(g_per_kwh)


def test_threads_that_estimate_at_once_see_their_own_hours() -> None:
    hours = Hours(*(reading(100.0 + hour, TEN_NS + hour * HOUR_NS) for hour in range(24)))
    estimator = Estimator(FactorTables.bundled(), EstimatorSettings(), hours)
    wrong: list[Footprint] = []

    def work(hour: int) -> None:
        for _ in range(200):
            found = estimator.estimate(replace(CALL, at_unix_nano=TEN_NS + hour * HOUR_NS))
            assert isinstance(found, Footprint)
            if found.grid.intensity_g_per_kwh != 100.0 + hour:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(hour,)) for hour in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_mark_on_a_span_carries_the_hour_and_is_read_back_without_loss() -> None:
    found = footprint(Hours(reading(123.456, estimated=True)))
    written = mark_attributes(found)
    read = read_mark(written)

    assert written["otel_carbon.grid.source"] == "test-hourly"
    assert written["otel_carbon.grid.period_start"] == "2026-11-20T10:00:00Z"
    assert written["otel_carbon.grid.quality"] == "estimated"
    assert read is not None
    assert read.grid == found.grid
    assert Estimator(FactorTables.bundled()).recompute(CALL, read) == found


def test_a_mark_of_a_year_is_as_short_as_ever() -> None:
    written = mark_attributes(footprint(None))

    assert [key for key in written if key.startswith("otel_carbon.grid.")] == [
        "otel_carbon.grid.zone",
        "otel_carbon.grid.intensity_g_per_kwh",
    ]


@pytest.mark.parametrize(
    "start", ["", "yesterday", 5, "2026-11-20T10:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", None]
)
def test_a_mark_whose_hour_is_no_time_is_read_as_one_of_a_year(start: object) -> None:
    written = {**mark_attributes(footprint(Hours(reading(123.0)))), "otel_carbon.grid.period_start": start}
    read = read_mark(written)

    assert read is not None
    assert read.grid == Grid("IE", 123.0, None, None, "measured")
