"""One call under every factor set, and why the figures differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

from otel_carbon.estimator.api import noted, prepared
from otel_carbon.estimator.arguments import Arguments
from otel_carbon.estimator.document import outcome_document
from otel_carbon.estimator.estimator import Estimator
from otel_carbon.estimator.overrides import Override
from otel_carbon.estimator.sci import Sci, sci_of_call
from otel_carbon.factors import PART_STATES, Basis, Boundary, FactorSet
from otel_carbon.model import Call, Footprint, NotEstimated, Outcome

__all__ = ["Comparison", "compare", "comparison_document"]

_BASES = {
    Basis.PER_TOKEN: "energy per kind of token, input and output apart",
    Basis.TOTAL_KWH_PER_1M: "energy per token, input and output alike",
    Basis.TOTAL_G_PER_1K: "emissions per token, input and output alike",
    Basis.PER_REQUEST: "figures per request, not per token",
    Basis.PARAMETRIC: "life-cycle equations from size and speed of the model; output tokens only",
}
_BOUNDARIES = {
    Boundary.ACCELERATOR: "energy at the accelerator, scaled up to the server",
    Boundary.IT: "energy at the server",
    Boundary.FACILITY: "energy at the meter of the data centre",
    Boundary.NONE: "no energy",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of one call under one factor set. `ratio` is its central gCO2e over that of the set asked for."""

    factor_set: FactorSet
    outcome: Outcome
    ratio: float | None
    why: str
    sci: Sci | None


def compare(
    arguments: Arguments, factor_sets: tuple[str, ...] = (), overrides: tuple[Override, ...] = ()
) -> tuple[Comparison, ...]:
    """Return the outcome of a call under every factor set, those in files of the user too; the one asked for first.

    Raises:
        ConfigError: the model is missing, or a region, zone or factor set is not known.
        FactorError: a file is not a valid factor set.
    """
    estimator, call = prepared(arguments, factor_sets, overrides)
    asked = estimator.settings.factor_set
    ids = [asked, *(set_id for set_id in estimator.tables.set_ids if set_id != asked)]
    reference = estimator.estimate(call)
    found = [_under(estimator.of_set(set_id), call, reference) for set_id in ids]
    return tuple(replace(each, outcome=noted(each.outcome, arguments)) for each in found)


def comparison_document(comparison: Comparison) -> dict[str, object]:
    """Return a comparison as plain data, for JSON."""
    factor_set = comparison.factor_set
    return {
        "set": factor_set.id,
        "basis": factor_set.basis.value,
        "energy_boundary": factor_set.boundary.value,
        "inside": dict(factor_set.parts),
        "ratio_to_first": comparison.ratio,
        "why": comparison.why,
        "warning": factor_set.warning,
        "estimate": outcome_document(comparison.outcome, sci=comparison.sci),
    }


def _under(estimator: Estimator, call: Call, reference: Outcome) -> Comparison:
    factor_set = estimator.tables.versions(estimator.settings.factor_set)[-1]
    outcome = estimator.estimate(call)
    sci = None
    if isinstance(outcome, Footprint) and call.usage is not None:
        sci = sci_of_call(outcome, call.usage)
    return Comparison(factor_set, outcome, _ratio(outcome, reference), _why(factor_set, outcome), sci)


def _ratio(outcome: Outcome, reference: Outcome) -> float | None:
    if isinstance(outcome, NotEstimated) or isinstance(reference, NotEstimated):
        return None
    if outcome.co2e_grams is None or reference.co2e_grams is None or reference.co2e_grams.central <= 0.0:
        return None
    return outcome.co2e_grams.central / reference.co2e_grams.central


def _why(factor_set: FactorSet, outcome: Outcome) -> str:
    if isinstance(outcome, Footprint) and outcome.factor.set != factor_set.id:
        return f"has no figure for this call: {outcome.factor.set} answered"
    parts = dict(factor_set.parts)
    if isinstance(outcome, Footprint) and outcome.grid.intensity_g_per_kwh is not None and parts["grid"] == "included":
        parts["grid"] = "default"  # this row publishes energy alone
    inside = ", ".join(f"{name} {PART_STATES[state]}" for name, state in parts.items())
    return f"{_BASES[factor_set.basis]}; {_BOUNDARIES[factor_set.boundary]}; {inside}"
