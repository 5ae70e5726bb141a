"""Electricity Maps v4 and NESO's UK Carbon Intensity API by their published contracts, for `grid_servers.grid_server`.

What a contract does not allow is refused as the publisher refuses it. Each hour and half-hour has a figure of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from grid_servers import Answer, Asked

__all__ = ["TOKEN", "electricity_maps", "electricity_maps_g_per_kwh", "neso", "neso_direct_g_per_kwh"]

TOKEN = "token-of-the-test"
_HOUR_S, _HALF_HOUR_S = 3600, 1800
_ZONES = {"FR", "DE"}
_NATIONAL = re.compile(r"/intensity/(\d{4}-\d\d-\d\dT\d\d:\d\dZ)/fw(24|48)h")
_REGIONAL = re.compile(r"/regional/intensity/(\d{4}-\d\d-\d\dT\d\d:\d\dZ)/fw(24|48)h/regionid/(1[0-8]|[1-9])")
_MIX = [
    {"fuel": fuel, "perc": percent}
    for fuel, percent in {"gas": 50.0, "coal": 0.0, "biomass": 0.0, "nuclear": 25.0, "imports": 25.0}.items()
]


def electricity_maps(clock_s: Callable[[], float]) -> Callable[[Asked], Answer]:
    """Return what answers for Electricity Maps: hours that are over are measured, the running one is estimated."""

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("auth-token") != TOKEN:
            return Answer({"status": "error", "message": "Invalid auth-token"}, 401)
        zone = asked.query.get("zone", "")
        known = {"emissionFactorType": "lifecycle", "temporalGranularity": "hourly", "disableCallerLookup": "true"}
        if zone not in _ZONES or dict(asked.query) != {"zone": zone, **known}:
            return Answer({"status": "error", "message": f'No recent data for zone "{zone}"'}, 404)
        running = int(clock_s()) // _HOUR_S
        if asked.path == "/v4/carbon-intensity/latest":
            return Answer({**_of_hour(zone, running, is_estimated=True), "temporalGranularity": "hourly"})
        if asked.path == "/v4/carbon-intensity/history":
            history = [_of_hour(zone, hour, is_estimated=hour == running) for hour in range(running - 23, running + 1)]
            return Answer({"zone": zone, "history": history, "temporalGranularity": "hourly"})
        return Answer({"status": "error", "message": "Not found"}, 404)

    return answer


def electricity_maps_g_per_kwh(unix_s: float) -> float:
    """Return the figure of the hour that a time is in."""
    return 40.5 + int(unix_s) // _HOUR_S % 50


def neso(clock_s: Callable[[], float]) -> Callable[[Asked], Answer]:
    """Return what answers for NESO at a time: regions have forecasts only, the country what was generated, too."""

    def answer(asked: Asked) -> Answer:
        running = int(clock_s()) // _HALF_HOUR_S
        for route in (_NATIONAL, _REGIONAL):
            found = route.fullmatch(asked.path)
            if found is None or asked.headers.get("accept") != "application/json":
                continue
            first = int(datetime.fromisoformat(found[1]).timestamp()) // _HALF_HOUR_S
            halves = [_of_half_hour(half, running) for half in range(first, first + 2 * int(found[2]))]
            if route is _NATIONAL:
                return Answer({"data": halves})
            of_region = [
                {**half, "intensity": _without_actual(half["intensity"]), "generationmix": _MIX} for half in halves
            ]
            return Answer({"data": [{"regionid": int(found[3]), "shortname": "a region", "data": of_region}]})
        return Answer({"error": {"code": "400 Bad Request", "message": "string"}}, 400)

    return answer


def neso_direct_g_per_kwh(unix_s: float) -> int:
    """Return what left the stacks in the half-hour that a time is in."""
    return 200 + int(unix_s) // _HALF_HOUR_S % 50


def _of_hour(zone: str, hour: int, *, is_estimated: bool) -> dict[str, Any]:
    at = f"{datetime.fromtimestamp(hour * _HOUR_S, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    return {
        "zone": zone,
        "carbonIntensity": electricity_maps_g_per_kwh(hour * _HOUR_S),
        "datetime": at,
        "updatedAt": at,
        "createdAt": at,
        "emissionFactorType": "lifecycle",
        "isEstimated": is_estimated,
        "estimationMethod": "FORECASTS_HIERARCHY" if is_estimated else None,
    }


def _of_half_hour(half: int, running: int) -> dict[str, Any]:
    start, end = (f"{datetime.fromtimestamp(each * _HALF_HOUR_S, UTC):%Y-%m-%dT%H:%MZ}" for each in (half, half + 1))
    direct = neso_direct_g_per_kwh(half * _HALF_HOUR_S)
    intensity = {"forecast": direct + 7, "actual": direct if half < running else None, "index": "moderate"}
    return {"from": start, "to": end, "intensity": intensity}


def _without_actual(intensity: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in intensity.items() if key != "actual"}
