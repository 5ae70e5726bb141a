"""What stages must take back from their counters, because the ledger counts another span of the same call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from otel_carbon.ledger.profiles import INDEX, adjusted_count_of
from otel_carbon.model import Attribution, Footprint, Outcome, Reversal, Sighting, Status
from otel_carbon.pipeline.tally import measurement_attributes
from otel_carbon.semconv.carbon import OTEL_CARBON_REGION_NAME
from otel_carbon.semconv.gen_ai import GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_MODEL

__all__ = ["reversal_of_line", "reversal_of_span", "reversals_of_text", "reversals_text"]

_CALLS = (Status.NO_USAGE, Status.UNKNOWN_MODEL)
"""How a call comes out that is counted and has no quantities."""


def reversal_of_span(sighting: Sighting, outcome: Outcome) -> Reversal | None:
    """Return what was measured for a span that does not count; None where nothing was."""
    call, count = sighting.call, adjusted_count_of(sighting)
    if call is None or (not isinstance(outcome, Footprint) and outcome.status not in _CALLS):
        return None
    attributes, who = measurement_attributes(call, outcome), sighting.attribution
    span = sighting.span.trace_id + sighting.span.span_id
    if not isinstance(outcome, Footprint):
        return Reversal(attributes, count, attribution=who, span=span)
    grams, wh = (0.0 if one is None else one.central * count for one in (outcome.co2e_grams, outcome.energy_wh))
    return Reversal(attributes, count, grams, wh, who, span)


def reversal_of_line(reversal_row: Sequence[Any]) -> Reversal:
    """Return what was measured for the call that a line of kind reversal takes back."""
    line = {name: reversal_row[index] for name, index in INDEX.items()}
    named = (
        (GEN_AI_OPERATION_NAME, line["operation"]),
        (GEN_AI_PROVIDER_NAME, line["provider"]),
        (GEN_AI_RESPONSE_MODEL, line["model"] or line["request_model"]),
        (OTEL_CARBON_REGION_NAME, line["region"]),
    )
    attributes = tuple((key, value) for key, value in named if value is not None)
    attribution = Attribution(**{field.name: line[field.name] for field in fields(Attribution)})
    calls, grams, wh = (-(line[name] or 0.0) for name in ("calls", "co2e_grams_central", "energy_wh_central"))
    return Reversal(attributes, calls, grams, wh, attribution, line["trace_id"] + line["span_id"])


def reversals_text(reversals: Sequence[Reversal]) -> str | None:
    """Return reversals as they are kept with a cursor; None for none."""
    return json.dumps([asdict(each) for each in reversals]) if reversals else None


def reversals_of_text(text: str | None) -> tuple[Reversal, ...]:
    """Return what `reversals_text` was given."""
    return tuple(_reversal(**each) for each in json.loads(text or "[]"))


def _reversal(attributes: Sequence[Sequence[str]], attribution: dict[str, Any], **others: Any) -> Reversal:
    named = tuple((key, value) for key, value in attributes)
    return Reversal(named, attribution=Attribution(**attribution), **others)
