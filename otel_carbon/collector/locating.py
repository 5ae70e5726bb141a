"""Statements that find where a call ran, as `factors.location` does, and the figures of that place.

They leave `place` in the cache: what one Wh of a factor set stands for there, with its spreads, and where it is from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from otel_carbon.collector.dialects import LEAVE
from otel_carbon.collector.hours import SLOTS, GridKeys, Hours
from otel_carbon.collector.ottl import Value, any_of, cache, is_match, literal, put, text, words
from otel_carbon.estimator.hourly import Hour, at_hour, without_hour
from otel_carbon.estimator.per_wh import per_wh
from otel_carbon.estimator.place import place_at
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import Boundary, FactorTables, GridFamily
from otel_carbon.factors.location import CALLER_TELLS, CLOSED_MODELS, EVERYWHERE, Hints, locate
from otel_carbon.factors.names import ModelName
from otel_carbon.factors.places import CLOUD_PROVIDERS, Location, at_cloud_region
from otel_carbon.factors.sites import CloudRegion
from otel_carbon.model import GridReading, Interval
from otel_carbon.model.interval import Z90
from otel_carbon.spans import six_digits, utc_text

__all__ = ["Places", "grids_of", "locating_statements"]

_PROVIDER, _NAMED, _VENDOR = cache("lp"), cache("np"), cache("vendor")
_REGION, _PROFILE, _PLACE, _CLOUD = cache("where"), cache("profile"), cache("place"), cache("cloud")
_NO_PLACE = f"{_PLACE} == nil"
_OF_THE_GRID = ("zone", "g", "c", "cb", "ca", "quality")
"""What of a place its grid decides."""


class Places:
    """Turns locations into map literals, for one factor set's boundary and one publication of grid intensities.

    `hours` go before the average of a year, where a place is a single grid.
    """

    def __init__(
        self, tables: FactorTables, boundary: Boundary, family: GridFamily, hours: Hours | None = None
    ) -> None:
        self.tables = tables
        self.family = family
        self._hours = hours
        self._boundary = boundary
        self._settings = EstimatorSettings(grid=family.value)

    def at_region(self, region: CloudRegion) -> str:
        """Return a cloud region."""
        location = at_cloud_region(self.tables, region, self.family)
        if self._hours is None:
            return literal(self._values(location))
        values = self._values(without_hour(location))
        periods = zip(SLOTS, self._hours.periods(location.grid_keys), strict=False)
        return literal(values | {slot: self._of_period(location, *period) for slot, period in periods})

    def located(self, hints: Hints) -> str:
        """Return the place that hints lead to."""
        return literal(self._values(locate(self.tables, hints, self.family)))

    def _values(self, location: Location) -> dict[str, Value]:
        place = place_at(self.tables, self._settings, location, water=False)
        one = per_wh(self._boundary, place, self.tables.constants)
        values: dict[str, Value] = {
            "name": location.region.name or "",
            "source": location.region.source,
            "zone": location.grid.zone or "",
            "g": six_digits(location.grid.intensity_g_per_kwh or 0.0),
            "emb": one.co2e_embodied_grams.central,
        }
        if location.grid.quality is not None:
            values["quality"] = location.grid.quality
        return values | _spread("e", one.energy_wh) | _spread("c", one.co2e_grams)

    def _of_period(self, location: Location, reading: GridReading, until_unix_nano: int) -> dict[str, Value]:
        """Return what the grid of a period changes in a place, and when it holds."""
        values = self._values(at_hour(self.tables, location, Hour(reading, covers=True)))
        changed = {key: values[key] for key in _OF_THE_GRID}
        times = {"from": reading.start_unix_nano, "to": reading.end_unix_nano, "until": until_unix_nano}
        named = {"grid_source": reading.source_id, "period_start": utc_text(reading.start_unix_nano)}
        return changed | times | named


def grids_of(tables: FactorTables, regions: Collection[str] | None) -> list[GridKeys]:
    """Return what the grids of cloud regions are known by; None: all regions."""
    rows = (row for cloud in tables.regions.values() for row in cloud.values())
    covered = (row for row in rows if regions is None or row.name in regions)
    return sorted({at_cloud_region(tables, row, GridFamily.ELECTRICITY_MAPS).grid_keys for row in covered})


def _spread(name: str, ratio: Interval) -> dict[str, Value]:
    """Return a quantity per Wh with its log distances to the bounds, below and above."""
    below, above = ratio.spread_below() * Z90, ratio.spread_above() * Z90
    return {name: ratio.central, f"{name}b": below, f"{name}a": above}


def locating_statements(places: Places, regions: Collection[str] | None) -> Iterator[str]:
    """Yield the statements. `regions` are the cloud regions that are covered; None: all."""
    yield from _providers(places.tables)
    yield from _regions(places, regions)
    yield from _profiles(places)
    yield from _defaults(places)


def _providers(tables: FactorTables) -> Iterator[str]:
    """Yield who serves the model: by a known server, by the name that is stated, by prefixes of the model."""
    host, stated = cache("host"), cache("provider")
    for row in tables.hosts:
        here = [f"{_PROVIDER} == nil", is_match(host, row.pattern)]
        if "(?P<region>" in row.pattern:
            yield put(cache("host_region"), f'ExtractPatterns({host}, {text(row.pattern)})["region"]', *here)
        if row.profile:
            yield put(cache("host_profile"), text(row.profile), *here)
        yield put(_PROVIDER, text(row.provider), *here)
    for provider in tables.providers:
        names = [name for name, other in tables.provider_names.items() if other == provider]
        if names and provider != "*":
            yield put(_PROVIDER, text(provider), f"{_PROVIDER} == nil", is_match(stated, words(names)))
    served = words([provider for provider in tables.providers if provider != "*"])
    for name in ("m1_host", "m2_host"):
        yield put(_NAMED, cache(name), f"{_NAMED} == nil", is_match(cache(name), served))
    for name in ("m1", "m2"):
        passed = cache(f"{name}_open")
        for beginning, vendor in CLOSED_MODELS:
            here = [f"{passed} == nil", f"{cache(name)} != nil", is_match(cache(name), f"^{beginning}")]
            yield put(_VENDOR, text(vendor), f"{_VENDOR} == nil", *here) if vendor else put(passed, "true", *here)


def _regions(places: Places, regions: Collection[str] | None) -> Iterator[str]:
    """Yield the place of a region that the call names, its host names, or the caller runs in where that tells."""
    tables = places.tables
    known = words({name for cloud in tables.regions.values() for name in cloud})
    profiles = any_of(f"{cache(name)} != nil" for name in ("m1_profile", "m2_profile"))
    called, host_region, caller = cache("region"), cache("host_region"), cache("caller")
    yield put(_REGION, called, is_match(called, known))
    yield put(_REGION, host_region, f"{_REGION} == nil", f"not {profiles}", is_match(host_region, known))
    for provider, profile in EVERYWHERE.items():
        yield put(_PROFILE, text(profile), f"{_REGION} == nil", f'{called} == "global"', _first_is(provider))
    for name in ("m1_profile", "m2_profile", "host_profile"):
        yield put(
            _PROFILE,
            cache(name),
            f"{_REGION} == nil",
            f"{_PROFILE} == nil",
            is_match(cache(name), words(tables.profiles)),
        )
    for provider in sorted(CALLER_TELLS):
        own = words(tables.regions[CLOUD_PROVIDERS[provider]])
        unknown = [f"{_REGION} == nil", f"{_PROFILE} == nil"]
        yield put(_REGION, caller, *unknown, _first_is(provider), is_match(caller, own))
    # A name that two clouds have is one of the provider's own cloud, else of the first that has it.
    for provider, cloud in CLOUD_PROVIDERS.items():
        by_vendor = f"({_PROVIDER} == nil and {_NAMED} == nil and {_VENDOR} == {text(provider)})"
        yield put(_CLOUD, text(cloud), f"{_REGION} != nil", any_of([_first_is(provider), by_vendor]))
    if regions is not None:
        yield put(LEAVE, "true", f"{_REGION} != nil", f"not {is_match(_REGION, words(regions))}")
    for name, cloud, row in _in_order(tables):
        if regions is None or name in regions:
            own = f"{_CLOUD} == {text(cloud)}" if cloud else ""
            yield put(_PLACE, places.at_region(row), f"{_REGION} == {text(name)}", own, _NO_PLACE)


def _in_order(tables: FactorTables) -> Iterator[tuple[str, str, CloudRegion]]:
    """Yield every region with the cloud that it is asked for by; an empty one where no other cloud has the name."""
    order = ["aws", *(cloud for cloud in tables.regions if cloud != "aws")]
    for cloud in order:
        for name, row in tables.regions[cloud].items():
            if sum(name in other for other in tables.regions.values()) > 1:
                yield name, cloud, row
    for cloud in order:
        for name, row in tables.regions[cloud].items():
            yield name, "", row


def _first_is(provider: str) -> str:
    """Return the condition that a provider serves the call, by host or statement, else by the model's name."""
    by_name = f"({_PROVIDER} == nil and {_NAMED} == {text(provider)})"
    return any_of([f"{_PROVIDER} == {text(provider)}", by_name])


def _profiles(places: Places) -> Iterator[str]:
    for profile in places.tables.profiles:
        hints = Hints(models=(ModelName("", profile=profile),))
        yield put(_PLACE, places.located(hints), _NO_PLACE, f"{_PROFILE} == {text(profile)}")


def _defaults(places: Places) -> Iterator[str]:
    for key in (_PROVIDER, _NAMED):
        for provider in places.tables.providers:
            if provider != "*":
                hints = Hints(models=(), provider=provider)
                yield put(_PLACE, places.located(hints), _NO_PLACE, f"{key} == {text(provider)}")
    for beginning, vendor in CLOSED_MODELS:
        if vendor:
            hints = Hints(models=(ModelName(beginning),))
            yield put(_PLACE, places.located(hints), _NO_PLACE, f"{_VENDOR} == {text(vendor)}")
    yield put(_PLACE, places.located(Hints(models=())), _NO_PLACE)
