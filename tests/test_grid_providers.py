"""The publishers' contracts, spoken to a server on loopback: answers, refusals, garbage."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from grid_servers import Answer, Asked, grid_server

from otel_carbon.errors import GridPlaceError, GridSourceError
from otel_carbon.grid.electricity_maps import ElectricityMaps
from otel_carbon.grid.http import retry_after_s
from otel_carbon.grid.uk_carbon_intensity import UkCarbonIntensity, upstream_g_per_kwh
from otel_carbon.model import GridReading

NS = 10**9
KEYS = ("aws:eu-central-1", "DE")


def unix_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


TEN = unix_s("2026-11-20T10:00Z")
NOW_NS = unix_s("2026-11-20T10:45Z") * NS


def electricity_maps(url: str, **options: Any) -> ElectricityMaps:
    return ElectricityMaps("secret-token", url=url, clock_ns=lambda: NOW_NS, **options)


def uk(url: str) -> UkCarbonIntensity:
    return UkCarbonIntensity(url=url, clock_ns=lambda: NOW_NS)


def entry(value: Any, at: str, *, estimated: Any = False, **more: Any) -> dict[str, Any]:
    """Return one hour in the shape of Electricity Maps v4."""
    return {
        "zone": "DE",
        "carbonIntensity": value,
        "datetime": at,
        "updatedAt": "2026-11-20T10:44:52.211Z",
        "createdAt": "2026-11-17T10:50:59.233Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": estimated,
        "estimationMethod": "FORECASTS_HIERARCHY" if estimated else None,
        **more,
    }


def latest(_asked: Asked) -> Answer:
    return Answer({**entry(302, "2026-11-20T10:00:00.000Z", estimated=True), "temporalGranularity": "hourly"})


def hours(readings: Any) -> list[tuple[int, float, bool]]:
    return [(each.start_unix_nano // NS, each.g_per_kwh, each.is_estimated) for each in readings]


def test_the_running_hour_comes_from_latest() -> None:
    with grid_server(latest) as server:
        found = electricity_maps(server.url).fetch("DE", TEN, TEN + 3600)

    assert found == [
        GridReading("DE", 302.0, TEN * NS, (TEN + 3600) * NS, "electricitymaps-v4-hourly", True, NOW_NS),
    ]
    assert [each.path for each in server.asked] == ["/carbon-intensity/latest"]
    assert server.asked[0].headers["auth-token"] == "secret-token"
    assert server.asked[0].query == {
        "zone": "DE",
        "emissionFactorType": "lifecycle",
        "temporalGranularity": "hourly",
        "disableCallerLookup": "true",
    }


def test_hours_of_the_last_day_come_from_history_and_those_without_a_figure_are_left_out() -> None:
    history = [
        entry(288, "2026-11-19T12:00:00.000Z"),
        entry(None, "2026-11-19T13:00:00.000Z"),
        entry(290.5, "2026-11-19T14:00:00.000Z", estimated=True),
    ]
    with grid_server(lambda _: Answer({"zone": "DE", "history": history, "temporalGranularity": "hourly"})) as server:
        found = electricity_maps(server.url).fetch("DE", TEN - 22 * 3600, TEN)

    assert hours(found) == [(TEN - 22 * 3600, 288.0, False), (TEN - 20 * 3600, 290.5, True)]
    assert server.asked[0].path == "/carbon-intensity/history"


def test_older_hours_come_from_past_range() -> None:
    start = unix_s("2026-10-25T00:00Z")
    with grid_server(lambda _: Answer({"zone": "DE", "data": [entry(400, "2026-10-25T00:00:00.000Z")]})) as server:
        found = electricity_maps(server.url).fetch("DE", start, start + 86_400)

    assert hours(found) == [(start, 400.0, False)]
    assert server.asked[0].path == "/carbon-intensity/past-range"
    assert server.asked[0].query["start"] == "2026-10-25T00:00:00.000Z"
    assert server.asked[0].query["end"] == "2026-10-26T00:00:00.000Z"


@pytest.mark.parametrize(
    ("place", "query"),
    [
        ("52.52,13.405", {"lat": "52.52", "lon": "13.405"}),
        ("-33.9,151.2", {"lat": "-33.9", "lon": "151.2"}),
        ("gcp:europe-west1", {"dataCenterProvider": "gcp", "dataCenterRegion": "europe-west1"}),
    ],
)
def test_a_position_and_a_data_centre_are_asked_for_and_the_answer_names_the_zone(
    place: str, query: dict[str, str]
) -> None:
    with grid_server(latest) as server:
        found = electricity_maps(server.url).fetch(place, TEN, TEN + 3600)

    assert [each.zone for each in found] == ["DE"]
    assert query.items() <= server.asked[0].query.items()
    assert "zone" not in server.asked[0].query


def test_what_electricity_maps_estimates_can_be_refused() -> None:
    with grid_server(latest) as server:
        found = electricity_maps(server.url, estimated=False).fetch("DE", TEN, TEN + 3600)

    assert found == []
    assert server.asked[0].query["disableEstimations"] == "true"


@pytest.mark.parametrize(
    ("keys", "options", "place"),
    [
        (("aws:eu-west-1", "IE"), {}, "IE"),
        (("aws:eu-west-1", "IE"), {"by_data_center": True}, "aws:eu-west-1"),
        (("oci:uk-london-1", "GB"), {"by_data_center": True}, "GB"),
        (("aws:eu-west-1", "IE"), {"places": {"IE": "53.3,-6.3"}}, "53.3,-6.3"),
        (("US-CAL-CISO",), {}, "US-CAL-CISO"),
        (("FRA",), {}, None),
        (("FRA",), {"places": {"FRA": "FR"}}, "FR"),
    ],
)
def test_a_place_is_chosen_by_the_keys_of_the_grid(
    keys: tuple[str, ...], options: dict[str, Any], place: str | None
) -> None:
    assert ElectricityMaps("t", **options).place(keys) == place


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 1e9, True, "302", None, [], {}], ids=repr)
def test_what_is_no_intensity_is_no_reading(value: Any) -> None:
    with grid_server(lambda _: Answer(entry(value, "2026-11-20T10:00:00.000Z"))) as server:
        assert electricity_maps(server.url).fetch("DE", TEN, TEN + 3600) == []


@pytest.mark.parametrize("at", [None, "", "yesterday", 5, "2026-11-20T10:00:00+99:00"])
def test_an_hour_without_a_time_is_no_reading(at: Any) -> None:
    with grid_server(lambda _: Answer(entry(302, at))) as server:
        assert electricity_maps(server.url).fetch("DE", TEN, TEN + 3600) == []


def test_direct_emissions_are_not_taken_for_a_life_cycle() -> None:
    with grid_server(lambda _: Answer(entry(302, "2026-11-20T10:00:00Z", emissionFactorType="direct"))) as server:
        assert electricity_maps(server.url).fetch("DE", TEN, TEN + 3600) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>maintenance</html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["a"]', "not an object"),
        (b'{"carbonIntensity": 1}', "asked for DE, answered for None"),
        (b'{"zone": "FR", "carbonIntensity": 1}', "asked for DE, answered for FR"),
        (b'{"zone": "DE", "temporalGranularity": "5_minutes"}', "not by the hour"),
        (b'{"zone": "DE", "history": 5}', "no list of hours"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error(body: bytes, reason: str) -> None:
    with grid_server(lambda _: Answer(body)) as server, pytest.raises(GridSourceError, match=reason):
        electricity_maps(server.url).fetch("DE", TEN, TEN + 3600)


@pytest.mark.parametrize(
    ("answer", "kind", "wait_s"),
    [
        (Answer({"error": "Invalid auth-token"}, 401), GridSourceError, 3600.0),
        (Answer({"error": "not in your plan"}, 403), GridSourceError, 3600.0),
        (Answer({"status": "error", "message": 'No recent data for zone "DE"'}, 404), GridPlaceError, None),
        (Answer({}, 429, {"Retry-After": "17"}), GridSourceError, 17.0),
        (Answer({}, 429), GridSourceError, None),
        (Answer({}, 503, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}), GridSourceError, 0.0),
        (Answer({}, 500), GridSourceError, None),
        (Answer({}, 302, {"Location": "https://example.com/"}), GridSourceError, None),
    ],
)
def test_a_refusal_says_how_long_to_wait_and_never_the_key(
    answer: Answer, kind: type[GridSourceError], wait_s: float | None
) -> None:
    with grid_server(lambda _: answer) as server, pytest.raises(GridSourceError) as caught:
        electricity_maps(server.url).fetch("DE", TEN, TEN + 3600)

    assert type(caught.value) is kind
    assert caught.value.retry_after_s == wait_s
    assert "secret-token" not in repr(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [Answer({}, delay_s=1.0), Answer({"zone": "DE"}, drip_s=0.06)])
def test_a_slow_server_is_given_up(answer: Answer) -> None:
    with grid_server(lambda _: answer) as server, pytest.raises(GridSourceError, match="no answer"):
        electricity_maps(server.url, timeout_s=0.3).fetch("DE", TEN, TEN + 3600)


def test_a_server_that_is_not_there_is_an_error() -> None:
    with grid_server(latest) as server:
        url = server.url
    with pytest.raises(GridSourceError, match="no answer"):
        electricity_maps(url).fetch("DE", TEN, TEN + 3600)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("0", 0.0), ("120", 120.0), ("99999999999", 86_400.0), ("-1", None), ("soon", None), ("", None), (None, None)],
)
def test_retry_after_is_a_number_of_seconds_or_nothing_to_rely_on(text: str | None, wait_s: float | None) -> None:
    assert retry_after_s(text) == wait_s


# ---- UK Carbon Intensity ---------------------------------------------------------------------------------------------

# The mix of the API's own documentation.
MIX = [
    {"fuel": "gas", "perc": 43.6},
    {"fuel": "coal", "perc": 0.7},
    {"fuel": "biomass", "perc": 4.2},
    {"fuel": "nuclear", "perc": 17.6},
    {"fuel": "hydro", "perc": 2.2},
    {"fuel": "imports", "perc": 6.5},
    {"fuel": "other", "perc": 0.3},
    {"fuel": "wind", "perc": 6.8},
    {"fuel": "solar", "perc": 18.1},
]
# 0.436 x 120 + 0.007 x 60 + 0.042 x 110 + 0.176 x 12 + 0.022 x 24 + 0.068 x 12 + 0.181 x 48
UPSTREAM = 52.32 + 0.42 + 4.62 + 2.112 + 0.528 + 0.816 + 8.688


def half_hour(start: str, end: str, forecast: Any, **more: Any) -> dict[str, Any]:
    return {"from": start, "to": end, "intensity": {"forecast": forecast, "index": "moderate", **more}}


def region(halves: list[dict[str, Any]], *, as_list: bool) -> dict[str, Any]:
    data = {"regionid": 13, "shortname": "London", "data": [{**half, "generationmix": MIX} for half in halves]}
    return {"data": [data] if as_list else data}


def neso(asked: Asked) -> Answer:
    halves = [
        half_hour("2026-11-20T10:00Z", "2026-11-20T10:30Z", 266),
        half_hour("2026-11-20T10:30Z", "2026-11-20T11:00Z", 258),
        half_hour("2026-11-20T11:00Z", "2026-11-20T11:30Z", 250),
    ]
    if asked.path.startswith("/regional"):
        return Answer(region(halves, as_list=True))
    halves[0]["intensity"]["actual"] = 263
    halves[1]["intensity"]["actual"] = None
    return Answer({"data": halves})


def test_great_britain_is_what_was_generated_plus_the_life_cycle_and_nothing_that_lies_ahead() -> None:
    with grid_server(neso) as server:
        found = uk(server.url).fetch("GB", TEN, TEN + 3600)

    assert hours(found) == [
        (TEN, pytest.approx(263 + UPSTREAM, rel=1e-6), False),
        (TEN + 1800, pytest.approx(258 + UPSTREAM, rel=1e-6), True),
    ]
    assert {each.end_unix_nano - each.start_unix_nano for each in found} == {1800 * NS}
    assert {(each.zone, each.source_id) for each in found} == {("GB", "uk-carbon-intensity-half-hourly")}
    assert [each.path for each in server.asked] == [
        "/regional/intensity/2026-11-20T10:00Z/fw24h/regionid/18",
        "/intensity/2026-11-20T10:00Z/fw24h",
    ]


@pytest.mark.parametrize("as_list", [True, False])
def test_a_region_comes_as_a_list_or_as_an_object_and_is_always_a_forecast(as_list: bool) -> None:
    halves = [half_hour("2026-11-20T10:00Z", "2026-11-20T10:30Z", 100)]
    with grid_server(lambda _: Answer(region(halves, as_list=as_list))) as server:
        found = uk(server.url).fetch("GB-13", TEN, TEN + 2 * 86_400)

    assert hours(found) == [(TEN, pytest.approx(100 + UPSTREAM, rel=1e-6), True)]
    assert [each.path for each in server.asked] == ["/regional/intensity/2026-11-20T10:00Z/fw48h/regionid/13"]


def test_only_great_britain_is_covered() -> None:
    provider = UkCarbonIntensity(places={"aws:eu-west-2": "GB-13"})

    assert provider.place(("gcp:europe-west2", "GB")) == "GB"
    assert provider.place(("aws:eu-west-2", "GB")) == "GB-13"
    assert provider.place(("aws:eu-west-1", "IE")) is None
    assert provider.place(("GB-NIR",)) is None
    assert provider.place(("GB-18",)) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"intensity": None},
        {"intensity": {"forecast": None}},
        {"intensity": {"forecast": "266"}},
        {"intensity": {"forecast": True}},
        {"generationmix": []},
        {"generationmix": [{"fuel": "gas", "perc": 12.0}]},
        {"generationmix": None},
        {"to": "2026-11-20T12:00Z"},
        {"from": "10 o'clock"},
    ],
)
def test_a_half_hour_that_is_not_whole_is_no_reading(broken: dict[str, Any]) -> None:
    half = {**half_hour("2026-11-20T10:00Z", "2026-11-20T10:30Z", 266), "generationmix": MIX, **broken}
    with grid_server(lambda _: Answer({"data": {"regionid": 13, "data": [half]}})) as server:
        assert uk(server.url).fetch("GB-13", TEN, TEN + 1800) == []


def test_a_bad_request_of_neso_is_about_the_place() -> None:
    refusal = {"error": {"code": "400 Bad Request", "message": "string"}}
    with grid_server(lambda _: Answer(refusal, 400)) as server, pytest.raises(GridPlaceError, match="HTTP 400"):
        uk(server.url).fetch("GB-13", TEN, TEN + 1800)


@pytest.mark.parametrize("body", [{}, {"data": None}, [], {"data": "x"}])
def test_an_answer_of_neso_without_data_is_an_error(body: Any) -> None:
    with grid_server(lambda _: Answer(json.dumps(body).encode())) as server, pytest.raises(GridSourceError):
        uk(server.url).fetch("GB-13", TEN, TEN + 1800)


def test_the_life_cycle_beyond_the_stacks_is_the_mean_over_the_mix() -> None:
    assert upstream_g_per_kwh(MIX) == pytest.approx(UPSTREAM, rel=1e-12)
    assert upstream_g_per_kwh([{"fuel": "wind", "perc": 100.0}]) == 12.0


@pytest.mark.parametrize("hour", ["2026-03-29T01:00Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-12-31T23:00Z"])
def test_hours_are_those_of_utc_also_when_clocks_change(hour: str) -> None:
    start = unix_s(hour)
    moment = datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds")
    with grid_server(lambda _: Answer({"zone": "DE", "data": [entry(100, moment)]})) as server:
        found = electricity_maps(server.url).fetch("DE", start, start + 3600)

    assert hours(found) == [(start, 100.0, False)]
