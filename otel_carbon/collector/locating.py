"""Statements that find where a call ran, as `factors.location` does, and the figures of that place.

They leave `place` in the cache, the key of the place in the table that `placing_statement` looks into.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from otel_carbon.collector.dialects import LEAVE
from otel_carbon.collector.hosts import server_statements
from otel_carbon.collector.ottl import Value, cache, first_of, is_one_of, joined, looked_up, put, text
from otel_carbon.collector.places import Places
from otel_carbon.collector.vendors import vendor_statements
from otel_carbon.factors import FactorTables
from otel_carbon.factors.location import CALLER_TELLS, CLOSED_MODELS, EVERYWHERE, Hints
from otel_carbon.factors.names import ModelName
from otel_carbon.factors.places import CLOUD_PROVIDERS
from otel_carbon.factors.sites import CloudRegion

__all__ = ["locating_statements", "placing_statement"]

_PROVIDER, _NAMED, _VENDOR, _FIRST = cache("served_by"), cache("named"), cache("vendor"), cache("first")
_REGION, _PROFILE, _KEY = cache("where"), cache("profile"), cache("place")
_NOWHERE = f"{_REGION} == nil"
_NO_KEY = f"{_KEY} == nil"


def locating_statements(tables: FactorTables, regions: Collection[str] | None) -> Iterator[str]:
    """Yield the statements. `regions` are the cloud regions that are covered; None: all."""
    yield from server_statements(tables.hosts)
    yield from _providers(tables)
    yield from _regions(tables, regions)
    yield from _keys(tables)


def placing_statement(places: Places, regions: Collection[str] | None) -> str:
    """Return the statement that puts the figures of the place into the cache, in place of its key."""
    return put(_KEY, looked_up(_table(places, regions), _KEY))


def _providers(tables: FactorTables) -> Iterator[str]:
    """Yield who serves the model: by a known server, by the name that is stated, else who makes it."""
    stated = cache("provider")
    names = {name: provider for name, provider in tables.provider_names.items() if provider != "*"}
    yield put(_PROVIDER, looked_up(names, stated), f"{_PROVIDER} == nil", is_one_of(stated, names))
    yield put(_FIRST, first_of([_PROVIDER, _NAMED]))
    for name in ("m1", "m2"):
        yield from vendor_statements(name, f"{_FIRST} == nil", f"{cache('known')} == true")


def _regions(tables: FactorTables, regions: Collection[str] | None) -> Iterator[str]:
    """Yield the region that the call or its host names, or that the caller runs in where that tells; else a profile."""
    known = {name for cloud in tables.regions.values() for name in cloud}
    called, host_region, caller = cache("region"), cache("host_region"), cache("caller")
    yield put(_REGION, called, f"{called} != nil", is_one_of(called, known))
    in_host = [_NOWHERE, f"{host_region} != nil", f"{_PROFILE} == nil", is_one_of(host_region, known)]
    yield put(_REGION, host_region, *in_host)
    yield put(_PROFILE, looked_up(EVERYWHERE, _FIRST), f'{called} == "global"', is_one_of(_FIRST, EVERYWHERE))
    host_profile = cache("host_profile")
    yield put(_PROFILE, host_profile, f"{_PROFILE} == nil", is_one_of(host_profile, tables.profiles))
    for provider in sorted(CALLER_TELLS):
        own = tables.regions[CLOUD_PROVIDERS[provider]]
        tells = [f"{caller} != nil", _NOWHERE, f"{_PROFILE} == nil", f"{_FIRST} == {text(provider)}"]
        yield put(_REGION, caller, *tells, is_one_of(caller, own))
    if regions is not None:
        yield put(LEAVE, "true", f"{_REGION} != nil", f"not {is_one_of(_REGION, regions)}")


def _keys(tables: FactorTables) -> Iterator[str]:
    """Yield the key of the place: the first of region, profile, provider's and vendor's default that is known."""
    # A name that two clouds have is one of the provider's own cloud, else of the first that has it.
    shared, by, own = dict(_shared(tables)), cache("by"), cache("own")
    if shared:
        names = {row.name for row in shared.values()}
        yield put(by, first_of([_FIRST, _VENDOR]), f"{_REGION} != nil", is_one_of(_REGION, names))
        its_own = joined(looked_up(CLOUD_PROVIDERS, by), text(" "), _REGION)
        yield put(own, its_own, f"{by} != nil", is_one_of(by, CLOUD_PROVIDERS))
        yield put(_KEY, own, f"{own} != nil", is_one_of(own, shared))
    yield put(_KEY, _REGION, _NO_KEY, f"{_REGION} != nil")
    yield put(_KEY, joined(text("profile "), _PROFILE), _NO_KEY, f"{_PROFILE} != nil")
    yield put(_KEY, joined(text("provider "), _FIRST), _NO_KEY, f"{_FIRST} != nil")
    yield put(_KEY, joined(text("vendor "), _VENDOR), _NO_KEY, f"{_VENDOR} != nil")
    yield put(_KEY, text("world"), _NO_KEY)


def _table(places: Places, regions: Collection[str] | None) -> Mapping[str, Value]:
    """Return the figures of every place that a key can lead to."""
    tables = places.tables
    every = (*_shared(tables), *_first_of_each(tables))
    table: dict[str, Value] = {
        key: places.at_region(row) for key, row in every if regions is None or row.name in regions
    }
    for profile in tables.profiles:
        table[f"profile {profile}"] = places.located(Hints(models=(ModelName("", profile=profile),)))
    for provider in tables.providers:
        if provider != "*":
            table[f"provider {provider}"] = places.located(Hints(models=(), provider=provider))
    for beginning, vendor in CLOSED_MODELS:
        if vendor:
            table[f"vendor {vendor}"] = places.located(Hints(models=(ModelName(beginning),)))
    return table | {"world": places.located(Hints(models=()))}


def _first_of_each(tables: FactorTables) -> Iterator[tuple[str, CloudRegion]]:
    """Yield every region by its name, of the first cloud that has it."""
    seen: set[str] = set()
    for cloud in ("aws", *tables.regions):
        for name, row in tables.regions[cloud].items():
            if name not in seen:
                seen.add(name)
                yield name, row


def _shared(tables: FactorTables) -> Iterator[tuple[str, CloudRegion]]:
    """Yield the regions whose names more than one cloud has, by cloud and name."""
    for cloud, rows in tables.regions.items():
        for name, row in rows.items():
            if sum(name in other for other in tables.regions.values()) > 1:
                yield f"{cloud} {name}", row
