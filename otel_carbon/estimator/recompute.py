"""From what a mark recorded back to the full factors behind it."""

from __future__ import annotations

import math
from dataclasses import replace

from otel_carbon.estimator.derivation import (
    Derivation,
    Names,
    find_location,
    labelled,
    own_numbers_at,
    place_for,
    row_notes,
)
from otel_carbon.estimator.hourly import YEARLY, on_recorded_grid, without_hour
from otel_carbon.estimator.own_numbers import energy_row_of_id, with_own_numbers
from otel_carbon.estimator.place import at_zone
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import Basis, FactorRow, FactorSet, FactorTables, GridFamily
from otel_carbon.factors.location import Hints, locate
from otel_carbon.factors.match import Match, fallback_confidence
from otel_carbon.factors.names import ModelName, normalise
from otel_carbon.factors.places import Location, at_cloud_region, cloud_region, find_zone
from otel_carbon.model import Confidence, FactorRef, Grid, Interval, Region

__all__ = ["remembered"]

_ROUNDED = 1e-5  # a mark has six significant digits
_LOW_STEPS = frozenset({"name_hint", "global_default"})


def remembered(
    tables: FactorTables,
    settings: EstimatorSettings,
    names: Names,
    *,
    factor: FactorRef,
    region: Region | None,
    grid: Grid | None,
) -> Derivation | None:
    """Return the look-ups that a mark recorded; None where its factor set or row is not here.

    Raises:
        FactorError: a table that is needed is damaged.
    """
    found = _row(tables, settings, factor, of_items=names.items is not None)
    if found is None:
        return None
    used, row = found
    model = _model(tables, names)
    at = find_location(tables, settings, names).region if region is None else region
    chosen = own_numbers_at(tables, settings, names, at.name)
    settings = with_own_numbers(settings, chosen)
    location = _place(tables, settings, names, found, region=region, grid=grid)
    if grid is not None and grid.quality == YEARLY:
        location = without_hour(location)
    return Derivation(
        factor_set=used,
        row=row,
        model=model,
        step=factor.match,
        factor=factor,
        confidence=labelled(
            tables, settings, used, Match(model, used.id, row, factor.match, _confidence(row, factor.match)), names
        ),
        location=location,
        place=place_for(tables, settings, used, location),
        notes=(*location.notes, *chosen.notes, *row_notes(used, row)),
    )


def _row(
    tables: FactorTables, settings: EstimatorSettings, factor: FactorRef, *, of_items: bool
) -> tuple[FactorSet, FactorRow] | None:
    if factor.set not in tables.set_ids:
        return None if of_items else energy_row_of_id(settings, factor.set, tables.constants)
    used = tables.factor_set(factor.set)
    among = used.items if of_items else (*used.models, *used.classes.values())
    rows = [row for row in among if row.name == factor.id]
    return (used, rows[0]) if rows else None


def _confidence(row: FactorRow, match: str) -> Confidence:
    step = match.removeprefix("fallback_")
    confidence = Confidence.LOW if step in _LOW_STEPS else row.confidence
    return confidence if step == match else fallback_confidence(confidence)


def _model(tables: FactorTables, names: Names) -> ModelName:
    return normalise(names.model or names.request_model or "", tables.name_rules)


def _place(
    tables: FactorTables,
    settings: EstimatorSettings,
    names: Names,
    found: tuple[FactorSet, FactorRow],
    *,
    region: Region | None,
    grid: Grid | None,
) -> Location:
    """Return the recorded place as the set of a row accounts at it."""
    used, row = found
    if used.basis is Basis.PER_TOKEN or row.item is not None:
        return _location(tables, settings, names, region, grid)
    from otel_carbon.estimator.own_place import (  # noqa: PLC0415 - start-up must be light
        FACTOR_REGION,
        place_of_set,
        recorded_lca_place,
    )

    if used.lca is not None and row.lca is not None:
        return recorded_lca_place(used.lca, row.lca, _at_region(tables, settings, names, region), region, grid)
    if region is not None and region.source == FACTOR_REGION:
        return place_of_set(settings, used, row, _at_region(tables, settings, names, region))
    # Without keys no region of the set takes the place of what was recorded.
    location = replace(_location(tables, settings, names, region, grid), grid_keys=())
    return place_of_set(settings, used, row, location)


def _location(
    tables: FactorTables, settings: EstimatorSettings, names: Names, region: Region | None, grid: Grid | None
) -> Location:
    """Return the recorded place: PUE and water by its region, intensity as recorded."""
    location = _at_region(tables, settings, names, region)
    if grid is None or grid.intensity_g_per_kwh is None:
        return location
    if grid.period_start_unix_nano is not None:
        return on_recorded_grid(tables, location, grid)
    recorded_g_per_kwh = grid.intensity_g_per_kwh
    if _same(recorded_g_per_kwh, location.intensity_g_per_kwh.central) and grid.zone in (None, location.grid.zone):
        return location
    known = None if grid.zone is None else find_zone(tables, grid.zone)
    if known is not None and _same(recorded_g_per_kwh, known.intensity_g_per_kwh or 0.0):
        return at_zone(tables, location, known)
    return replace(
        location,
        grid=Grid(grid.zone, recorded_g_per_kwh, grid.source or "user"),
        intensity_g_per_kwh=_rescaled(location, region, recorded_g_per_kwh),
    )


def _at_region(tables: FactorTables, settings: EstimatorSettings, names: Names, region: Region | None) -> Location:
    """Return the recorded region with the intensity of the tables."""
    plain = replace(settings, region=None, zone=None, grid_intensity_g_per_kwh=None)
    location = find_location(tables, plain, names)
    if region is None or region == location.region:
        return location
    name = region.name or ""
    known = cloud_region(tables, name, names.provider)
    if known is not None:
        location = at_cloud_region(tables, known, GridFamily(settings.grid))
    elif name in tables.profiles:
        location = locate(tables, Hints(models=(ModelName("", profile=name),)), GridFamily(settings.grid))
    return replace(location, region=region)


def _rescaled(location: Location, region: Region | None, recorded_g_per_kwh: float) -> Interval:
    """Return the recorded intensity: exact where the user gave it, else as uncertain as that of its place."""
    known = location.intensity_g_per_kwh
    if (region is not None and region.source == "user") or known.central <= 0.0:
        return Interval.exact(recorded_g_per_kwh)
    return known.scaled(recorded_g_per_kwh / known.central)


def _same(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_ROUNDED)
