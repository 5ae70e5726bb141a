"""From the names on a call to one row of a factor set, with the step that led there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otel_carbon.factors.items import best_match, item_default
from otel_carbon.factors.names import ModelName, cut, normalise
from otel_carbon.factors.patterns import UNKNOWN_CLASS, classify
from otel_carbon.factors.rows import Basis, FactorRow, FactorSet
from otel_carbon.factors.tables import FactorTables
from otel_carbon.model import Confidence, ItemKind

__all__ = ["Match", "fallback_confidence", "match_item", "match_model", "match_names", "match_own"]

# Best first. A worse step of the answering model is left for a better one of the requested model.
_STEPS = ("set_model", "pattern", "size_hint", "name_hint", "global_default")
_GUESSES = frozenset({"name_hint", "global_default"})
_CONFIDENCE_ORDER = tuple(Confidence)


@dataclass(frozen=True, slots=True)
class Match:
    """The row that a model name led to. `set_id` is the set of the row, which a fallback makes another one."""

    model: ModelName
    set_id: str
    row: FactorRow
    step: str
    confidence: Confidence
    notes: tuple[str, ...] = ()


def match_names(
    tables: FactorTables,
    factor_set: FactorSet,
    model: str | None,
    request_model: str | None,
    providers: tuple[str, ...] = (),
) -> Match | None:
    """Return the row for the model that answered, or for the one asked for where that name tells more.

    `providers` are the names of who serves it, for rows that hold only there. None: the set has no row for either and
    answers for no other models (`unmatched = "none"`).

    Raises:
        FactorError: the fallback set of a factor set is damaged.
    """
    first = _match_raw(tables, factor_set, model or "", providers)
    if not request_model or (first is not None and _step(first) not in _GUESSES):
        return first
    second = _match_raw(tables, factor_set, request_model, providers)
    if first is None or second is None:
        return first or second
    better = not model or _STEPS.index(_step(second)) < _STEPS.index(_step(first))
    return second if better else first


def match_model(
    tables: FactorTables, factor_set: FactorSet, model: ModelName, raw: str = "", providers: tuple[str, ...] = ()
) -> Match | None:
    """Return the row of a set for a normalised name: its own, else the fallback set's, else that of its class.

    A parametric set may have rows for dated snapshots; there the raw name is looked up before the normalised one.
    """
    match = _match_row(factor_set, model, raw, providers)
    if match is not None:
        return match
    if factor_set.fallback_id is not None:
        default = tables.factor_set(factor_set.fallback_id)
        return _fallen_back(factor_set, default, match_model(tables, default, model))
    if not factor_set.classes:
        return None
    found = classify(model.name, tables.patterns)
    row = factor_set.classes.get(found.model_class)
    if row is None:  # images and video: counted per item, so that no set has a factor per token
        row = factor_set.classes[UNKNOWN_CLASS]
        note = f"{found.model_class} has no factor per token: the factor of an unknown model was used"
        return Match(model, factor_set.id, row, "global_default", Confidence.LOW, (note,))
    confidence = Confidence.LOW if found.step in _GUESSES else row.confidence
    return Match(model, factor_set.id, row, found.step, confidence)


def match_own(
    tables: FactorTables,
    own: Sequence[FactorSet],
    names: Sequence[str],
    providers: tuple[str, ...] = (),
    kind: ItemKind | None = None,
) -> Match | None:
    """Return the row that the first of these sets has for the model itself, by any of its raw names, best first.

    `kind` asks for the row of one item instead of that of tokens. No class and no fallback answers here.
    """
    for factor_set in own:
        for raw in names:
            model = normalise(raw, tables.name_rules)
            if kind is None:
                match = _match_row(factor_set, model, raw, providers)
            else:
                rows = [row for row in factor_set.items if row.item is not None and row.item.kind is kind]
                row = best_match(rows, model.name, providers)
                match = None if row is None else Match(model, factor_set.id, row, "set_model", row.confidence)
            if match is not None:
                return match
    return None


def match_item(
    tables: FactorTables, factor_set: FactorSet, kind: ItemKind, names: Sequence[str], providers: tuple[str, ...] = ()
) -> Match | None:
    """Return the row for one image, clip or second of audio of a model: its own, else the one for all others.

    `names` are the raw names of the model, best first. None: neither the set nor the one that it falls back to has a
    row for this.

    Raises:
        FactorError: the fallback set of a factor set is damaged.
    """
    models = [normalise(name, tables.name_rules) for name in names] or [normalise("", tables.name_rules)]
    rows = [row for row in factor_set.items if row.item is not None and row.item.kind is kind]
    for model in models:
        row = best_match(rows, model.name, providers)
        if row is not None:
            return Match(model, factor_set.id, row, "set_model", row.confidence)
    default = item_default(rows, kind, providers)
    if default is not None:
        known = any(classify(model.name, tables.patterns).model_class == default.name for model in models)
        return Match(models[0], factor_set.id, default, "pattern" if known else "global_default", default.confidence)
    if factor_set.fallback_id is None:
        return None
    other = tables.factor_set(factor_set.fallback_id)
    return _fallen_back(factor_set, other, match_item(tables, other, kind, names))


def fallback_confidence(confidence: Confidence) -> Confidence:
    """Return the confidence of a factor that stands in for a missing one: at most that of a class default."""
    return max(confidence, Confidence.CLASS_DEFAULT, key=_CONFIDENCE_ORDER.index)


def _fallen_back(factor_set: FactorSet, default: FactorSet, match: Match | None) -> Match | None:
    if match is None:
        return None
    note = f"{factor_set.id} has no row for this model: {default.id} answered"
    confidence = fallback_confidence(match.confidence)
    return Match(match.model, default.id, match.row, f"fallback_{match.step}", confidence, (*match.notes, note))


def _match_row(factor_set: FactorSet, model: ModelName, raw: str = "", providers: tuple[str, ...] = ()) -> Match | None:
    """Return the row that a set itself has for a model, if it has one."""
    row = _own_row(factor_set, model.name, raw, providers)
    return None if row is None else Match(model, factor_set.id, row, "set_model", row.confidence)


def _match_raw(tables: FactorTables, factor_set: FactorSet, raw: str, providers: tuple[str, ...]) -> Match | None:
    return match_model(tables, factor_set, normalise(raw, tables.name_rules), raw, providers)


def _own_row(factor_set: FactorSet, name: str, raw: str, providers: tuple[str, ...]) -> FactorRow | None:
    """Return the row with this exact name, else the one whose glob has most literal characters.

    Rows that hold only for who serves the model go before those that hold everywhere.
    """
    limited = [row for row in factor_set.models if row.providers] if providers else []
    if limited and (row := best_match(limited, name, providers)) is not None:
        return row
    if factor_set.basis is Basis.PARAMETRIC:
        full = cut(raw.strip().lower()) or ""
        for snapshot in (full, full.rpartition("/")[2]):
            if snapshot in factor_set.exact:
                return factor_set.exact[snapshot]
    if name in factor_set.exact:
        return factor_set.exact[name]
    # The rows of a parametric set have no wildcards.
    return None if factor_set.basis is Basis.PARAMETRIC else best_match(factor_set.models, name)


def _step(match: Match) -> str:
    return match.step.removeprefix("fallback_")
