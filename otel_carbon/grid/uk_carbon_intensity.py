"""The UK Carbon Intensity API of NESO: Great Britain and its 17 regions by the half-hour, CC BY 4.0, no key.

NESO counts what leaves the stack. The life cycle is more: building plants and providing fuel. It is added per fuel by
its share in the generation of the half-hour, so that the figure stands beside those of other life-cycle sources.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from otel_carbon.errors import GridSourceError
from otel_carbon.grid.http import get_json
from otel_carbon.grid.intensity import significant
from otel_carbon.model import GridReading
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["UK_CARBON_INTENSITY_URL", "UPSTREAM_G_PER_KWH", "UkCarbonIntensity", "upstream_g_per_kwh"]

UK_CARBON_INTENSITY_URL = "https://api.carbonintensity.org.uk"

UPSTREAM_G_PER_KWH: Mapping[str, float] = MappingProxyType(
    {"gas": 120.0, "coal": 60.0, "biomass": 110.0, "nuclear": 12.0, "hydro": 24.0, "wind": 12.0, "solar": 48.0}
)
"""Life cycle less what NESO counts, in g/kWh: medians of IPCC AR5 WG3 (2014), Annex III, table A.III.2.

Gas (combined cycle) 490 - 370, coal 820 - 760, nuclear 12, hydro 24, wind offshore 12, solar utility 48; biomass 230
less the 120 that NESO itself counts. Imports and `other` get nothing: their fuels are not told. `data/sources.csv` says
under `ipcc-ar5-wg3-annex3` how far each figure was checked.
"""

_SOURCE_ID = "uk-carbon-intensity-half-hourly"
_HALF_HOUR_S = 1800
_DAY_S = 86_400
_GREAT_BRITAIN = "18"
_REGION = re.compile(r"GB-(1[0-7]|[1-9])")


class UkCarbonIntensity:
    """Asks NESO. The zone `GB` is the country; `GB-1` to `GB-17` are its regions, which have forecasts only.

    `places` says what is asked for instead of a key of the tables, as `aws:eu-west-2` = `GB-13` (London).
    """

    source_id = _SOURCE_ID
    period_s = _HALF_HOUR_S
    longest_span_s = 2 * _DAY_S

    def __init__(
        self,
        *,
        url: str = UK_CARBON_INTENSITY_URL,
        places: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._url = url.rstrip("/")
        self._places = dict(places or {})
        self._timeout_s = timeout_s
        self._clock_ns = clock_ns

    def place(self, grid_keys: tuple[str, ...]) -> str | None:
        """Return `GB` or one of its regions; None for the rest of the world."""
        asked = (self._places.get(key, key) for key in grid_keys)
        return next((key for key in asked if key == "GB" or _REGION.fullmatch(key)), None)

    def fetch(self, place: str, start_unix_s: int, end_unix_s: int) -> Sequence[GridReading]:
        """Return the half-hours of one day or two from a time on, up to the running one.

        Raises:
            GridPlaceError: NESO does not know this region.
            GridSourceError: it gave no answer that can be used.
        """
        window = "fw24h" if end_unix_s - start_unix_s <= _DAY_S else "fw48h"
        start = f"{datetime.fromtimestamp(start_unix_s, UTC):%Y-%m-%dT%H:%MZ}"
        region_id = place.partition("-")[2] or _GREAT_BRITAIN
        regional = self._get(f"/regional/intensity/{start}/{window}/regionid/{region_id}")
        entries = {half["from"]: half for half in _half_hours(regional)}
        if region_id == _GREAT_BRITAIN:  # the route for the country alone has what was really generated
            for half in _half_hours(self._get(f"/intensity/{start}/{window}")):
                of_region = entries.get(half["from"])
                if of_region is not None:
                    of_region["intensity"] = half.get("intensity")
        found = (self._reading(half, place) for half in entries.values())
        return [
            reading
            for reading in found
            # What lies ahead is a forecast that will be replaced.
            if reading is not None and reading.start_unix_nano <= self._clock_ns()
        ]

    def _get(self, path: str) -> Any:
        return get_json(self._url + path, {}, self._timeout_s)

    def _reading(self, half: dict[str, Any], place: str) -> GridReading | None:
        try:
            start, end = _time(half["from"]), _time(half["to"])
            intensity = half["intensity"]
            actual = intensity.get("actual")
            direct_g_per_kwh = intensity["forecast"] if actual is None else actual
            if end - start != timedelta(seconds=_HALF_HOUR_S) or isinstance(direct_g_per_kwh, bool):
                return None
            return GridReading(
                zone=place,
                g_per_kwh=significant(direct_g_per_kwh + upstream_g_per_kwh(half["generationmix"])),
                start_unix_nano=int(start.timestamp()) * NANOSECONDS_PER_SECOND,
                end_unix_nano=int(end.timestamp()) * NANOSECONDS_PER_SECOND,
                source_id=_SOURCE_ID,
                is_estimated=actual is None,
                fetched_unix_nano=self._clock_ns(),
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return None  # a half-hour without a figure, a mix or a time


def upstream_g_per_kwh(generation_mix: Sequence[Mapping[str, Any]]) -> float:
    """Return what the life cycle of a generation mix has beyond its stacks, in g/kWh.

    `generation_mix` is NESO's: `fuel` and its share `perc` in per cent.

    Raises:
        KeyError, TypeError, ValueError: it is not such a mix, or does not add up to about 100 %.
    """
    shares = {str(part["fuel"]): float(part["perc"]) for part in generation_mix}
    if not 95.0 <= sum(shares.values()) <= 105.0 or min(shares.values()) < 0.0:
        raise ValueError("not the shares of a whole")
    return sum(share / 100.0 * UPSTREAM_G_PER_KWH.get(fuel, 0.0) for fuel, share in shares.items())


def _half_hours(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the half-hours of an answer. A region comes as an object, or as a list of one."""
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list):
        raise GridSourceError("the answer holds no data")
    for part in data:
        if not isinstance(part, dict):
            continue
        halves = part["data"] if isinstance(part.get("data"), list) else [part]
        yield from (half for half in halves if isinstance(half, dict) and isinstance(half.get("from"), str))


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
