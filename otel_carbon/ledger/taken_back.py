"""What stages must take back from their counters, because the ledger counts another span of the same call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from otel_carbon.ledger.profiles import INDEX, adjusted_count_of
from otel_carbon.ledger.recorded import Reversal
from otel_carbon.model import Attribution, Footprint, Outcome, Sighting
from otel_carbon.pipeline.tally import measurement_attributes
from otel_carbon.semconv.carbon import OTEL_CARBON_REGION_NAME
from otel_carbon.semconv.gen_ai import GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL

__all__ = ["reversal_of_line", "reversal_of_span"]


def reversal_of_span(sighting: Sighting, outcome: Outcome) -> Reversal | None:
    """Return what was measured for a span that does not count; None where nothing was."""
    call = sighting.call
    if call is None or not isinstance(outcome, Footprint) or outcome.co2e_grams is None:
        return None
    co2e_grams = outcome.co2e_grams.central * adjusted_count_of(sighting)
    return Reversal(measurement_attributes(call, outcome), co2e_grams, sighting.attribution)


def reversal_of_line(reversal_row: Sequence[Any]) -> Reversal | None:
    """Return what was measured for the call that a line of kind reversal takes back; None where nothing was."""
    line = {name: reversal_row[index] for name, index in INDEX.items()}
    if line["co2e_grams_central"] is None:
        return None
    named = (
        (GEN_AI_OPERATION_NAME, line["operation"]),
        (GEN_AI_PROVIDER_NAME, line["provider"]),
        (GEN_AI_RESPONSE_MODEL, line["model"] or line["request_model"]),
        (OTEL_CARBON_REGION_NAME, line["region"]),
    )
    attributes = tuple((key, value) for key, value in named if value is not None)
    attribution = Attribution(**{field.name: line[field.name] for field in fields(Attribution)})
    return Reversal(attributes, -line["co2e_grams_central"], attribution)
