"""What a user's overrides come to for one kind of call: settings, a row for its energy, and a note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from otel_carbon.estimator.overrides import Chosen, Override, Seen, chosen_overrides
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import Basis, Boundary, FactorRow, FactorSet, FactorTables, TokenRates
from otel_carbon.factors.constants import Constants, times_divided
from otel_carbon.factors.names import normalise
from otel_carbon.model import Confidence, Interval

__all__ = ["OWN_SOURCE_ID", "energy_row", "energy_row_of_id", "own_numbers", "with_own_numbers"]

OWN_SOURCE_ID = "own-numbers"
"""Source id of energies that stand in the user's configuration."""


def own_numbers(
    tables: FactorTables,
    settings: EstimatorSettings,
    models: tuple[str, ...],
    providers: tuple[str, ...],
    regions: tuple[str | None, ...],
) -> Chosen:
    """Return the numbers of the user for a call that shows these raw model names, providers and regions."""
    if not settings.overrides:
        return Chosen()
    names = (name for raw in models for name in (raw, normalise(raw, tables.name_rules).name))
    places = (region for region in regions if region)
    return chosen_overrides(settings.overrides, Seen(_keys(names), _keys(providers), _keys(places)))


def with_own_numbers(settings: EstimatorSettings, chosen: Chosen) -> EstimatorSettings:
    """Return the settings that hold for a call with these numbers."""
    if chosen.pue is None and chosen.wue_l_per_kwh is None and chosen.grid_intensity_g_per_kwh is None:
        return settings
    grid = chosen.grid_intensity_g_per_kwh
    return replace(
        settings,
        pue_ratio=settings.pue_ratio if chosen.pue is None else chosen.pue,
        wue_l_per_it_kwh=settings.wue_l_per_it_kwh if chosen.wue_l_per_kwh is None else chosen.wue_l_per_kwh,
        grid_intensity_g_per_kwh=settings.grid_intensity_g_per_kwh if grid is None else grid,
    )


def energy_row(override: Override, constants: Constants) -> tuple[FactorSet, FactorRow]:
    """Return the energies of an override as a factor set of one row, whose id stands for these numbers."""
    confidence = Confidence(override.confidence)
    factor = constants.bounds_factor[confidence]

    def given(value: float | None) -> Interval | None:
        return None if value is None else times_divided(value, factor)

    def times(rate: Interval, ratio: Interval) -> Interval:
        return Interval(rate.low * ratio.low, rate.central * ratio.central, rate.high * ratio.high)

    uncached, output = given(override.input_wh_per_1m), given(override.output_wh_per_1m)
    assert uncached is not None
    assert output is not None
    rates = TokenRates(
        uncached_input_wh_per_1m=uncached,
        cache_read_wh_per_1m=given(override.cached_input_wh_per_1m)
        or times(uncached, constants.cached_over_input_ratio),
        cache_write_wh_per_1m=given(override.cache_write_wh_per_1m) or uncached,
        visible_output_wh_per_1m=output,
        reasoning_wh_per_1m=given(override.reasoning_wh_per_1m) or times(output, constants.reasoning_over_output_ratio),
    )
    basis = f"own numbers for {override.conditions}{f': {override.source}' if override.source else ''}"
    row = FactorRow(override.conditions, (), confidence, OWN_SOURCE_ID, rates, {"basis": basis})
    factor_set = FactorSet(
        id=override.energy_id,
        version="",
        title="Energies of the user's configuration",
        licence="",
        source_id=OWN_SOURCE_ID,
        valid_from=date.min,
        valid_to=None,
        basis=Basis.PER_TOKEN,
        boundary=Boundary(override.energy_boundary),
        fallback_id=None,
        models=(row,),
        classes={},
        regions=(),
        exact={},
        published_labels=True,
    )
    return factor_set, row


def energy_row_of_id(
    settings: EstimatorSettings, set_id: str, constants: Constants
) -> tuple[FactorSet, FactorRow] | None:
    """Return the energies that an id stands for, if they are still configured."""
    found = (each for each in settings.overrides if each.has_energy and each.energy_id == set_id)
    return next((energy_row(each, constants) for each in found), None)


def _keys(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.strip().lower() for value in values if value))
