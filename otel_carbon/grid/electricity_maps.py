"""Electricity Maps v4: flow-traced life-cycle intensity by zone, by position, or by data centre."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from otel_carbon.errors import GridSourceError
from otel_carbon.grid.http import get_json
from otel_carbon.grid.intensity import significant, zone_of
from otel_carbon.model import GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["ELECTRICITY_MAPS_URL", "ElectricityMaps"]

ELECTRICITY_MAPS_URL = "https://api.electricitymaps.com/v4"
_SOURCE_ID = "electricitymaps-v4-hourly"
_HOUR_S = 3600
_DAY_S = 86_400
_CLOUDS = frozenset({"aws", "azure", "gcp"})
_POSITION = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")
_ZONE = re.compile(r"[A-Z]{2}(-[A-Z0-9-]+)?")


class ElectricityMaps:
    """Asks Electricity Maps. Hours that it estimates are taken unless `estimated` is False.

    `places` says what is asked for instead of a key of the tables: a zone, `lat,lon`, or `cloud:region`. With
    `by_data_center` a cloud region is asked for as such, and Electricity Maps decides in which zone it lies.
    """

    source_id = _SOURCE_ID
    period_s = _HOUR_S
    longest_span_s = 10 * _DAY_S

    def __init__(
        self,
        token: str,
        *,
        url: str = ELECTRICITY_MAPS_URL,
        places: Mapping[str, str] | None = None,
        by_data_center: bool = False,
        estimated: bool = True,
        timeout_s: float = 10.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._headers = {"auth-token": token}
        self._url = url.rstrip("/")
        self._places = dict(places or {})
        self._by_data_center = by_data_center
        self._estimated = estimated
        self._timeout_s = timeout_s
        self._clock_ns = clock_ns

    def place(self, grid_keys: tuple[str, ...]) -> str | None:
        """Return a zone, a position or a data centre; None for a country code that is no zone."""
        configured = next((self._places[key] for key in grid_keys if key in self._places), None)
        if configured is not None:
            return configured
        if self._by_data_center:
            centre = next((key for key in grid_keys if key.partition(":")[0] in _CLOUDS and ":" in key), None)
            if centre is not None:
                return centre
        zone = zone_of(grid_keys)
        return zone if zone is not None and _ZONE.fullmatch(zone) else None

    def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
        """Return the hours of a place: the running one, the last 24, or a range of the past.

        Raises:
            GridPlaceError: Electricity Maps has nothing for this place.
            GridSourceError: it gave no answer that can be used.
        """
        now_unix_s = self._clock_ns() // NANOSECONDS_PER_SECOND
        query = {
            **_place_query(place),
            "emissionFactorType": "lifecycle",
            "temporalGranularity": "hourly",
            # Without it a request without a known place is answered for the place of the caller's own address.
            "disableCallerLookup": "true",
        }
        if not self._estimated:
            query["disableEstimations"] = "true"
        if start_unix_s + _HOUR_S > now_unix_s:
            document = self._get("latest", query)
        elif start_unix_s > now_unix_s - _DAY_S:
            document = self._get("history", query)
        else:
            span = {"start": _utc_text(start_unix_s), "end": _utc_text(min(end_unix_s, now_unix_s))}
            document = self._get("past-range", {**query, **span})
        return self._readings(document, place)

    def _get(self, route: str, query: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self._url}/carbon-intensity/{route}?{urlencode(query)}"
        document = get_json(url, self._headers, self._timeout_s)
        if not isinstance(document, dict):
            raise GridSourceError("the answer is not an object")
        return document

    def _readings(self, document: dict[str, Any], place: str) -> list[GridReading]:
        zone = document.get("zone")
        if not isinstance(zone, str) or (_ZONE.fullmatch(place) and zone != place):
            raise GridSourceError(f"asked for {place}, answered for {str(zone)[:40]}")
        if document.get("temporalGranularity", "hourly") != "hourly":
            raise GridSourceError("the answer is not by the hour")
        entries = document.get("history", document.get("data", [document]))
        if not isinstance(entries, list):
            raise GridSourceError("the answer holds no list of hours")
        found = (self._reading(entry, zone) for entry in entries if isinstance(entry, dict))
        return [reading for reading in found if reading is not None]

    def _reading(self, entry: dict[str, Any], zone: str) -> GridReading | None:
        """Return one hour; None where it has no figure, as happens, or one that is not what was asked for."""
        value, is_estimated = entry.get("carbonIntensity"), entry.get("isEstimated") is not False
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if entry.get("emissionFactorType", "lifecycle") != "lifecycle" or (is_estimated and not self._estimated):
            return None
        try:
            start = datetime.fromisoformat(entry.get("datetime", ""))
            start_unix_s = int(start.timestamp()) // _HOUR_S * _HOUR_S
            return GridReading(
                zone=zone,
                g_per_kwh=significant(value),
                start_unix_nano=start_unix_s * NANOSECONDS_PER_SECOND,
                end_unix_nano=(start_unix_s + _HOUR_S) * NANOSECONDS_PER_SECOND,
                source_id=_SOURCE_ID,
                is_estimated=is_estimated,
                fetched_unix_nano=self._clock_ns(),
            )
        except (TypeError, ValueError, OverflowError):
            return None


def _place_query(place: str) -> dict[str, str]:
    position = _POSITION.fullmatch(place)
    if position is not None:
        return {"lat": position[1], "lon": position[2]}
    cloud, separator, region = place.partition(":")
    return {"dataCenterProvider": cloud, "dataCenterRegion": region} if separator else {"zone": place}


def _utc_text(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
