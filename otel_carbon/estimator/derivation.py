"""How a call is understood before its tokens are counted: model, factor, place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.hourly import Hour, at_hour
from otel_carbon.estimator.overrides import Chosen
from otel_carbon.estimator.own_numbers import energy_row, own_numbers, with_own_numbers
from otel_carbon.estimator.per_wh import Place
from otel_carbon.estimator.place import place_at, with_user_settings
from otel_carbon.estimator.settings import EstimatorSettings
from otel_carbon.factors import Basis, FactorRow, FactorSet, FactorTables, GridFamily, TokenRates
from otel_carbon.factors.constants import Constants
from otel_carbon.factors.location import Hints, locate
from otel_carbon.factors.match import Match, match_item, match_names, match_own
from otel_carbon.factors.names import ModelName, normalise
from otel_carbon.factors.places import Location
from otel_carbon.model import Confidence, FactorRef, Interval, ItemKind, Region

__all__ = [
    "Derivation",
    "Names",
    "derive",
    "find_location",
    "find_own_location",
    "labelled",
    "own_numbers_at",
    "place_for",
    "provider_keys",
    "row_notes",
    "widened",
]

_WIDENED_STEPS = frozenset({"name_hint", "fallback_name_hint"})
_GUESSED_STEPS = _WIDENED_STEPS | {"global_default", "fallback_global_default"}
_SELF_HOSTED = "self-hosted"
# How a publisher accounted, where its figure is not per token and nothing can be put right.
_NOTE_KEYS = ("accounting", "location_based_note", "measured_note", "note")


@dataclass(frozen=True, slots=True)
class Names:
    """The texts of a call that decide its factors."""

    model: str | None = None
    request_model: str | None = None
    provider: str | None = None
    region: str | None = None
    server_address: str | None = None
    caller_region: str | None = None
    items: ItemKind | None = field(default=None, kw_only=True)
    """What is looked up is the factor of one of these, and not that of tokens."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """Everything that was looked up for a kind of call. `factor_set` is the one that the row stands in."""

    factor_set: FactorSet
    row: FactorRow
    model: ModelName
    step: str
    """The step that matched the model, also where an alias decided."""
    factor: FactorRef
    confidence: Confidence
    location: Location
    place: Place
    notes: tuple[str, ...]


def derive(
    tables: FactorTables,
    settings: EstimatorSettings,
    factor_set: FactorSet,
    names: Names,
    hour: Hour | None = None,
    *,
    own: Sequence[FactorSet] = (),
) -> Derivation | None:
    """Look everything up that the names on a call decide. None: the factor set has no answer for this model.

    `own` are sets of the user whose rows for the model go before `factor_set`.
    `hour` is what a source of hourly grid intensities said; None: there is none, and the yearly figure applies.

    Raises:
        FactorError: a table that is needed is damaged.
    """
    alias = _alias(settings.model_aliases, names)
    match = _match(tables, factor_set, names, alias, own)
    if match is None:
        return None
    # An alias that leads to a guess is worth no more than the guess.
    step = "alias" if alias is not None and match.step not in _GUESSED_STEPS else match.step
    location, chosen = find_own_location(tables, settings, names, alias)
    settings = with_own_numbers(settings, chosen)
    used = tables.factor_set(match.set_id)
    if chosen.energy is not None and match.row.item is None:
        used, row = energy_row(chosen.energy, tables.constants)
        match, step = Match(match.model, used.id, row, "set_model", row.confidence), "set_model"
    if used.basis is not Basis.PER_TOKEN and match.row.item is None:
        from otel_carbon.estimator.own_place import place_of_set  # noqa: PLC0415 - start-up must be light

        location = place_of_set(settings, used, match.row, location)
    if hour is not None:
        location = at_hour(tables, location, hour)
    return Derivation(
        factor_set=used,
        row=match.row,
        model=match.model,
        step=match.step,
        factor=FactorRef(used.id, match.row.name, step),
        confidence=labelled(tables, settings, used, match, names),
        location=location,
        place=place_for(tables, settings, used, location),
        notes=(*match.notes, *location.notes, *chosen.notes, *row_notes(used, match.row)),
    )


def _match(
    tables: FactorTables, factor_set: FactorSet, names: Names, alias: str | None, own: Sequence[FactorSet]
) -> Match | None:
    model, request_model = (names.model, names.request_model) if alias is None else (alias, None)
    providers = provider_keys(tables, names.provider)
    given = [name for name in (model, request_model) if name]
    if own and (match := match_own(tables, own, given, providers, names.items)) is not None:
        return match
    if names.items is None:
        return match_names(tables, factor_set, model, request_model, providers)
    return match_item(tables, factor_set, names.items, given, providers)


def provider_keys(tables: FactorTables, provider: str | None) -> tuple[str, ...]:
    """Return the names that a provider goes by in rows of the user: as it was written, and the one in the tables."""
    written = (provider or "").strip().lower()
    known = tables.provider_names.get(written)
    return tuple(dict.fromkeys(name for name in (written, known) if name))


def find_own_location(
    tables: FactorTables, settings: EstimatorSettings, names: Names, alias: str | None = None
) -> tuple[Location, Chosen]:
    """Return where a call ran, with the user's own numbers for such calls in place, and these numbers."""
    found = find_location(tables, settings, names, alias)
    chosen = own_numbers_at(tables, settings, names, found.region.name, alias)
    if chosen.grid_intensity_g_per_kwh is None:
        return found, chosen
    location = find_location(tables, with_own_numbers(settings, chosen), names, alias)
    return replace(location, region=Region(chosen.region or location.region.name, "user")), chosen


def own_numbers_at(
    tables: FactorTables, settings: EstimatorSettings, names: Names, region: str | None, alias: str | None = None
) -> Chosen:
    """Return the user's own numbers for a call that ran in a region, or that names another one."""
    models = tuple(name for name in (names.model, names.request_model, alias) if name)
    return own_numbers(tables, settings, models, provider_keys(tables, names.provider), (names.region, region))


def find_location(
    tables: FactorTables, settings: EstimatorSettings, names: Names, alias: str | None = None
) -> Location:
    """Return where a call ran, by the names on it and the user's settings."""
    raw_names = [name for name in (names.model, names.request_model, alias) if name]
    hints = Hints(
        models=tuple(normalise(name, tables.name_rules) for name in raw_names),
        provider=names.provider,
        region=names.region,
        server_address=names.server_address,
        caller_region=names.caller_region,
    )
    found = locate(tables, hints, GridFamily(settings.grid))
    return with_user_settings(tables, settings, found, names.provider)


def place_for(tables: FactorTables, settings: EstimatorSettings, factor_set: FactorSet, location: Location) -> Place:
    """Return grid, PUE and water of a location; a parametric set applies the water of its own mixes."""
    return place_at(tables, settings, location, water=settings.water and factor_set.lca is None)


def row_notes(factor_set: FactorSet, row: FactorRow) -> tuple[str, ...]:
    """Return what a reader must know of a row and its set, as sentences."""
    notes = [f"{factor_set.id}: {factor_set.warning}"] if factor_set.warning else []
    published = row.published.get("published_confidence")
    reviewed = row.published.get("review_confidence")
    if reviewed:
        notes.append(f"published as {published!s}, by our definition {reviewed!s}: {row.published['review_note']!s}")
    notes.extend(
        f"{row.name}, {key.replace('_', ' ')}: {row.published[key]!s}" for key in _NOTE_KEYS if key in row.published
    )
    if row.lca is not None and row.lca.warnings:
        notes.append(f"EcoLogits says of this model: {', '.join(row.lca.warnings)}")
    return tuple(notes)


def labelled(
    tables: FactorTables, settings: EstimatorSettings, factor_set: FactorSet, match: Match, names: Names
) -> Confidence:
    """Return a confidence: what was measured on a bench is only estimated for a hosted service's machines.

    In a set of the user it stays measured where they serve the model themselves: where the row names who serves it, or
    nobody is known to serve it for others. A set that keeps its publisher's labels keeps this one too; `row_notes` says
    what it means.
    """
    if factor_set.published_labels or match.confidence is not Confidence.MEASURED:
        return match.confidence
    provider = tables.provider_names.get((names.provider or "").strip().lower()) or match.model.host_provider
    own = any(factor_set is each for each in tables.own_sets(settings.factor_sets))
    if provider == _SELF_HOSTED or (own and (match.row.providers or provider is None)):
        return match.confidence
    return Confidence.ESTIMATED


def widened(constants: Constants, row: FactorRow, step: str) -> TokenRates:
    """Return a row's rates, with bounds twice as wide where only a word in the name led to it.

    Raises:
        ConfigError: the row's factor set is not per token.
    """
    rates = row.rates
    if rates is None:
        raise ConfigError(f"factor {row.name!r} is not per token")
    if step not in _WIDENED_STEPS:
        return rates
    factor = constants.name_hint_factor

    def wide(rate: Interval) -> Interval:
        return Interval(rate.low / factor, rate.central, rate.high * factor)

    return TokenRates(
        uncached_input_wh_per_1m=wide(rates.uncached_input_wh_per_1m),
        cache_read_wh_per_1m=wide(rates.cache_read_wh_per_1m),
        cache_write_wh_per_1m=wide(rates.cache_write_wh_per_1m),
        visible_output_wh_per_1m=wide(rates.visible_output_wh_per_1m),
        reasoning_wh_per_1m=wide(rates.reasoning_wh_per_1m),
    )


def _alias(aliases: Mapping[str, str], names: Names) -> str | None:
    return next((alias for name in (names.model, names.request_model) if (alias := aliases.get(name or ""))), None)
