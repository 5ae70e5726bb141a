"""From the names on a call to one row of a factor set, with the step that led there."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from otel_carbon.factors.names import ModelName, cut, normalise
from otel_carbon.factors.patterns import UNKNOWN_CLASS, classify
from otel_carbon.factors.rows import Basis, FactorRow, FactorSet
from otel_carbon.factors.tables import FactorTables
from otel_carbon.model import Confidence

__all__ = ["Match", "fallback_confidence", "match_model", "match_names"]

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
    tables: FactorTables, factor_set: FactorSet, model: str | None, request_model: str | None
) -> Match | None:
    """Return the row for the model that answered, or for the one asked for where that name tells more.

    None: the set has no row for either and answers for no other models (`unmatched = "none"`).

    Raises:
        FactorError: the fallback set of a factor set is damaged.
    """
    first = _match_raw(tables, factor_set, model or "")
    if not request_model or (first is not None and _step(first) not in _GUESSES):
        return first
    second = _match_raw(tables, factor_set, request_model)
    if first is None or second is None:
        return first or second
    better = not model or _STEPS.index(_step(second)) < _STEPS.index(_step(first))
    return second if better else first


def match_model(tables: FactorTables, factor_set: FactorSet, model: ModelName, raw: str = "") -> Match | None:
    """Return the row of a set for a normalised name: its own, else the fallback set's, else that of its class.

    A parametric set may have rows for dated snapshots; there the raw name is looked up before the normalised one.
    """
    row = _own_row(factor_set, model.name, raw)
    if row is not None:
        return Match(model, factor_set.id, row, "set_model", row.confidence)
    if factor_set.fallback_id is not None:
        return _fallback(tables, factor_set, model)
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


def fallback_confidence(confidence: Confidence) -> Confidence:
    """Return the confidence of a factor that stands in for a missing one: at most that of a class default."""
    return max(confidence, Confidence.CLASS_DEFAULT, key=_CONFIDENCE_ORDER.index)


def _fallback(tables: FactorTables, factor_set: FactorSet, model: ModelName) -> Match | None:
    default = tables.factor_set(str(factor_set.fallback_id))
    match = match_model(tables, default, model)
    if match is None:
        return None
    note = f"{factor_set.id} has no row for this model: {default.id} answered"
    confidence = fallback_confidence(match.confidence)
    return Match(model, default.id, match.row, f"fallback_{match.step}", confidence, (*match.notes, note))


def _match_raw(tables: FactorTables, factor_set: FactorSet, raw: str) -> Match | None:
    return match_model(tables, factor_set, normalise(raw, tables.name_rules), raw)


def _own_row(factor_set: FactorSet, name: str, raw: str) -> FactorRow | None:
    """Return the row with this exact name, else the one whose glob has most literal characters."""
    if factor_set.basis is Basis.PARAMETRIC:
        full = cut(raw.strip().lower()) or ""
        for snapshot in (full, full.rpartition("/")[2]):
            if snapshot in factor_set.exact:
                return factor_set.exact[snapshot]
    if name in factor_set.exact:
        return factor_set.exact[name]
    if factor_set.basis is Basis.PARAMETRIC:  # its rows have no wildcards
        return None
    best: FactorRow | None = None
    best_literals = -1
    for row in factor_set.models:
        for pattern in row.match:
            literals = len(pattern) - pattern.count("*") - pattern.count("?")
            if literals > best_literals and fnmatchcase(name, pattern):
                best, best_literals = row, literals
    return best


def _step(match: Match) -> str:
    return match.step.removeprefix("fallback_")
