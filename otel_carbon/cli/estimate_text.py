"""Estimates as plain tables: aligned columns, two significant digits, never a value without its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from otel_carbon.cli.columns import aligned, scaled, significant
from otel_carbon.estimator.api import Estimate
from otel_carbon.estimator.explain import Step
from otel_carbon.model import Confidence, Footprint, Interval, NotEstimated, Source

__all__ = ["cells", "estimate_text", "estimates_text"]

_CONFIDENCE: Final = {
    Confidence.MEASURED: "measured on a reproducible benchmark or on own hardware",
    Confidence.VENDOR_REPORTED: "the provider's own statement",
    Confidence.ESTIMATED: "a published estimate for this model",
    Confidence.CLASS_DEFAULT: "the figure of a class of models, not of this one",
    Confidence.LOW: "a guess with wide bounds",
}
_NAMED_ROWS: Final = 5
_G_PER_KG: Final = 1000.0
_J_PER_MJ: Final = 1e6
_LIKE = (
    ("car_km", "km by petrol car"),
    ("car_mile", "miles by car"),
    ("phone_charge", "phone charges"),
    ("tree_month", "months of a young tree's growth"),
)


def estimate_text(estimate: Estimate, *, explain: bool) -> str:
    """Return one estimate as text."""
    outcome = estimate.outcome
    if isinstance(outcome, NotEstimated):
        return f"not estimated ({outcome.status.value}): {outcome.reason}"
    facts = [
        ("factor", f"{outcome.factor.id} of {outcome.factor.set}, by {outcome.factor.match}"),
        ("confidence", f"{outcome.confidence.value}: {_CONFIDENCE[outcome.confidence]}"),
        ("region", _region(outcome, ", by {}")),
        ("grid", _grid(outcome)),
        ("as much as", _like(estimate.equivalents)),
        *(("note", note) for note in outcome.notes),
    ]
    parts = [outcome.model or "(no model name)", "", _quantities(outcome), "", aligned(facts)]
    if explain:
        parts += ["", "working", "", _working(estimate.working, estimate.sources)]
    return "\n".join(parts)


def estimates_text(estimates: Sequence[Estimate]) -> str:
    """Return many estimates as one table, a row each, and below it each note once, with the rows that it is on."""
    header = ("model", "energy", "low - high", "emissions", "low - high", "factor", "confidence", "region")
    table = aligned([header, *map(_row, estimates)], right=(1, 3))
    noted: dict[str, list[str]] = {}
    for number, estimate in enumerate(estimates, 1):
        for note in estimate.outcome.notes if isinstance(estimate.outcome, Footprint) else ():
            noted.setdefault(note, []).append(str(number))
    if not noted:
        return table
    return "\n".join([table, "", *(f"note on row {_rows(rows)}: {note}" for note, rows in noted.items())])


def _rows(numbers: Sequence[str]) -> str:
    more = len(numbers) - _NAMED_ROWS
    return ", ".join(numbers[:_NAMED_ROWS]) + (f" and {more:,} more" if more > 0 else "")


def cells(value: Interval | None, unit: str) -> tuple[str, str]:
    """Return a quantity as two cells: its centre, and its bounds."""
    if value is None:
        return "not given", ""
    scale, prefix = scaled(value.central)
    low, central, high = (significant(bound * scale, 2) for bound in (value.low, value.central, value.high))
    return f"{central} {prefix}{unit}", f"{low} - {high} {prefix}{unit}"


def _quantities(outcome: Footprint) -> str:
    rows = [
        ("", "central", "low - high"),
        ("energy at the meter", *cells(outcome.energy_wh, "Wh")),
        ("  of it at the server", *cells(outcome.it_energy_wh, "Wh")),
        ("emissions", *cells(outcome.co2e_grams, "g CO2e")),
        ("  from electricity", *cells(outcome.co2e_operational_grams, "g CO2e")),
        ("  from hardware", *cells(outcome.co2e_embodied_grams, "g CO2e")),
        ("water", *cells(outcome.water_liters, "L")),
    ]
    if outcome.primary_energy_mj is not None:
        rows.append(("primary energy", *cells(outcome.primary_energy_mj.scaled(_J_PER_MJ), "J")))
    if outcome.abiotic_depletion_kgsbeq is not None:
        rows.append(("abiotic depletion", *cells(outcome.abiotic_depletion_kgsbeq.scaled(_G_PER_KG), "g Sb eq")))
    return aligned(rows, right=(1,))


def _like(equivalents: Mapping[str, float]) -> str:
    known = {key: words for key, words in _LIKE if key in equivalents}
    if "car_km" in known:
        known.pop("car_mile", None)
    return ", ".join(f"{significant(equivalents[key], 2)} {words}" for key, words in known.items())


def _region(outcome: Footprint, by: str) -> str:
    return f"{outcome.region.name or 'none'}{by.format(outcome.region.source)}"


def _grid(outcome: Footprint) -> str:
    grid = outcome.grid
    if grid.intensity_g_per_kwh is None:
        return "none: the emissions are published with the grid in them"
    return f"{grid.zone}, {grid.intensity_g_per_kwh:g} g/kWh, {grid.source}"


def _row(estimate: Estimate) -> tuple[str, ...]:
    outcome = estimate.outcome
    if isinstance(outcome, NotEstimated):
        return (estimate.model, "-", "", "-", "", outcome.reason, outcome.status.value, "")
    return (
        outcome.model,
        *cells(outcome.energy_wh, "Wh"),
        *cells(outcome.co2e_grams, "g CO2e"),
        f"{outcome.factor.id} ({outcome.factor.match})",
        outcome.confidence.value,
        _region(outcome, " ({})"),
    )


def _working(steps: Sequence[Step], sources: Sequence[Source]) -> str:
    rows = [("step", "central", "low - high", "unit", "source", "how")]
    for step in steps:
        central = bounds = ""
        if step.value is not None:
            central = significant(step.value.central, 4)
            bounds = f"{significant(step.value.low, 4)} - {significant(step.value.high, 4)}"
        rows.append((step.name, central, bounds, step.unit, step.source_id or "", step.how))
    cited = [(source.id, f"{source.citation}, {source.url}") for source in sources]
    return "\n".join([aligned(rows, right=(1,)), "", "sources", "", aligned(cited)])
