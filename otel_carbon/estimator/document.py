"""An outcome as plain data, for JSON: full precision, and null for what a factor set does not give."""

from __future__ import annotations

from collections.abc import Mapping

from otel_carbon.estimator.sci import Sci
from otel_carbon.model import Interval, NotEstimated, Outcome

__all__ = ["interval_document", "outcome_document"]


def outcome_document(
    outcome: Outcome, equivalents: Mapping[str, float] | None = None, sci: Sci | None = None
) -> dict[str, object]:
    """Return an outcome as a tree of dicts, lists, texts and numbers."""
    if isinstance(outcome, NotEstimated):
        return {"status": outcome.status.value, "reason": outcome.reason}
    return {
        "status": "estimated",
        "model": outcome.model,
        "energy_wh": interval_document(outcome.energy_wh),
        "it_energy_wh": interval_document(outcome.it_energy_wh),
        "co2e_grams": interval_document(outcome.co2e_grams),
        "co2e_operational_grams": interval_document(outcome.co2e_operational_grams),
        "co2e_embodied_grams": interval_document(outcome.co2e_embodied_grams),
        "water_liters": interval_document(outcome.water_liters),
        "primary_energy_mj": interval_document(outcome.primary_energy_mj),
        "abiotic_depletion_kgsbeq": interval_document(outcome.abiotic_depletion_kgsbeq),
        "factor": {"set": outcome.factor.set, "id": outcome.factor.id, "match": outcome.factor.match},
        "confidence": outcome.confidence.value,
        "region": {"name": outcome.region.name, "source": outcome.region.source},
        "grid": {
            "zone": outcome.grid.zone,
            "intensity_g_per_kwh": outcome.grid.intensity_g_per_kwh,
            "source": outcome.grid.source,
        },
        "sci": None if sci is None else _sci_document(sci),
        "equivalents": dict(equivalents or {}),
        "notes": list(outcome.notes),
    }


def interval_document(interval: Interval | None) -> dict[str, float] | None:
    """Return an interval as a dict; None stays None."""
    if interval is None:
        return None
    return {"low": interval.low, "central": interval.central, "high": interval.high}


def _sci_document(sci: Sci) -> dict[str, object]:
    return {
        "per_call_grams": interval_document(sci.per_call_g),
        "per_1k_tokens_grams": interval_document(sci.per_1k_tokens_g),
    }
