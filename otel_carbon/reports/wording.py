"""The sentences of a report: what was estimated and how, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_carbon.model import Confidence, Interval
from otel_carbon.reports.display import grams_with_bounds, percent
from otel_carbon.reports.report import Coverage
from otel_carbon.reports.sums import Rows, is_estimated

__all__ = ["NO_INTENSITY", "missing_sets", "notes_of", "notes_of_scope", "sentence_of"]

# Publisher and year of the data, for people; the JSON of a report has the source ids.
_GRID_DATA = {
    "ember-owid-2025-via-ecologits": "Ember 2025",
    "electricitymaps-yearly-via-co2js": "Electricity Maps 2025",
}
_TEXT = frozenset({"chat"})  # what goes without saying
_PARTIAL = {
    "Water": "water_liters",
    "Primary energy": "primary_energy_mj",
    "Abiotic depletion": "abiotic_depletion_kgsbeq",
    "Energy": "energy_wh",
}
NO_INTENSITY = (
    "No carbon intensity per functional unit: a factor set does not give operational and embodied emissions apart."
)
"""Said where a unit was asked for."""

_EXCLUDED = "Model training, end-user devices and networks excluded."


def sentence_of(
    co2e_grams: Interval | None,
    shares: Mapping[str, float],
    factor_sets: Sequence[str],
    grid_sources: Sequence[str],
) -> str:
    """Return the sentence on method that every report carries (docs/methodology.md)."""
    if co2e_grams is None or not factor_sets:
        return f"Nothing is estimated yet. {_EXCLUDED}"
    grids = ", ".join(_named(source) for source in grid_sources) or "brought by the factor set"
    sets = ", ".join(factor_sets)
    defaults, guesses = (shares.get(label.value, 0.0) for label in (Confidence.CLASS_DEFAULT, Confidence.LOW))
    guessed = f" and {percent(guesses)} on guesses of low confidence" if guesses else ""
    return (
        f"Estimated {grams_with_bounds(co2e_grams)}, approx. 90 % interval, location-based,"
        f" life-cycle grid factors {grids}, energy factors {sets};"
        f" {percent(defaults)} of the total rests on class defaults{guessed}. {_EXCLUDED}"
    )


def notes_of(coverage: Coverage) -> tuple[str, ...]:
    """Return what qualifies the totals, one sentence each."""
    conditions = (
        (coverage.no_usage, "{} without token counts: counted as calls, nothing is added to the sums."),
        (coverage.guessed_usage, "{} whose token counts the library guessed, because the provider sent none: unsure."),
        (coverage.unknown_model, "{} of a model without a factor: counted as calls, nothing is added to the sums."),
        (coverage.failed, "{} failed without token counts: left out."),
        (coverage.sampled_calls, "{} recorded under head sampling: each stands for several, and is counted so."),
        (coverage.sampling_refused, "{} with an implausible sampling probability: each counts once."),
        (coverage.conflicts, "{} seen again with different content: the first one counts."),
        (coverage.claims_differ, "{} carried another figure from an earlier stage: the ledger's own one counts."),
    )
    sentences = [text.format(_calls(count)) for count, text in conditions if count]
    if len(coverage.not_covered) > 1 or _TEXT.isdisjoint(coverage.not_covered):
        by_operation = ", ".join(f"{operation} {calls:,}" for operation, calls in coverage.not_covered.items())
        sentences += [f"Without an estimate, by operation: {by_operation}."] if by_operation else []
    return tuple(sentences)


def notes_of_scope(where: Sequence[tuple[str, str]], rows: Rows) -> tuple[str, ...]:
    """Return what qualifies the choice of calls and their place in an inventory, one sentence each."""
    notes: list[str] = []
    if where:
        names = " and ".join(f"{name} {value or 'unknown'}" for name, value in where)
        notes.append(
            f"Only calls of {names}; spans seen, duplicates, failed and parents are those of the whole period, because"
            " only a counted call has these."
        )
    if any(row["by_scope"] == "2" for row in rows):
        notes.append(
            "Scope 2 here is location-based with life-cycle grid factors, which hold fuel supply and grid losses that"
            " the GHG Protocol puts into category 3 of scope 3."
        )
    for name, quantity in _PARTIAL.items():
        estimated = [row for row in rows if is_estimated(row)]
        given = [row for row in estimated if row[f"{quantity}_central"] is not None]
        if given and len(given) < len(estimated):
            notes.append(f"{name} is that of some calls only: not every factor set gives it.")
    return tuple(notes)


def missing_sets(names: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on factor sets whose sources cannot be named, if there are any."""
    if not names:
        return ()
    return (
        f"The sources of {', '.join(names)} are not known here: name the file of the set in OTEL_CARBON_FACTOR_SETS.",
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _named(source_id: str) -> str:
    return _GRID_DATA.get(source_id, source_id)
