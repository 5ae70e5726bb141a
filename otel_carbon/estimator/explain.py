"""The working of an estimate, line by line, with unit and source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from otel_carbon.estimator.derivation import Derivation
from otel_carbon.estimator.document import interval_document
from otel_carbon.estimator.estimator import Estimator
from otel_carbon.estimator.working import (
    Step,
    amount_steps,
    item_steps,
    lca_steps,
    place_steps,
    result_steps,
    token_steps,
)
from otel_carbon.factors import Basis
from otel_carbon.model import Call, Footprint, Items, Usage

__all__ = ["Step", "explain", "working_document"]


def explain(estimator: Estimator, call: Call, footprint: Footprint) -> tuple[Step, ...]:
    """Return the working of a footprint that this estimator gave for a call; empty where there is no factor."""
    if call.items is not None:
        return _explain_items(estimator, call, call.items, footprint)
    found = estimator.derive(call)
    if found is None or call.usage is None:
        return ()
    if found.factor.set != footprint.factor.set:  # the set gave no energy for these tokens and another answered
        return explain(estimator.of_set(footprint.factor.set), call, footprint)
    return (
        *_model_steps(call, found, footprint),
        *_figure_steps(estimator, call, call.usage, found),
        *place_steps(found, estimator.tables.constants, given_pue=estimator.settings.pue_ratio is not None),
        *result_steps(footprint, found),
    )


def working_document(steps: Sequence[Step]) -> list[dict[str, object]]:
    """Return the working as plain data, for JSON."""
    return [
        {
            "step": step.name,
            "how": step.how,
            "value": interval_document(step.value),
            "unit": step.unit,
            "source": step.source_id,
        }
        for step in steps
    ]


def _explain_items(estimator: Estimator, call: Call, items: Items, footprint: Footprint) -> tuple[Step, ...]:
    """Return the working of what was made; where tokens count too, after theirs and with the sum of both."""
    found, card = estimator.derive(call), estimator.item_card(call)
    plain = replace(call, items=None)
    if found is None or card is None:
        return explain(estimator, plain, footprint)
    constants, given_pue = estimator.tables.constants, estimator.settings.pue_ratio is not None
    if footprint.factor == found.factor:
        return (
            *_model_steps(call, found, footprint),
            *item_steps(items, found, constants),
            *place_steps(found, constants, given_pue=given_pue),
            *result_steps(footprint, found),
        )
    made, tokens = card.footprint(items), estimator.estimate(plain)
    if not isinstance(tokens, Footprint):
        return ()
    return (
        *explain(estimator, plain, tokens),
        *_model_steps(call, found, made),
        *item_steps(items, found, constants),
        *result_steps(made, found),
        Step("energy of the call", "facility energy of tokens + items", footprint.energy_wh, "Wh"),
        Step("total of the call", "total of tokens + items", footprint.co2e_grams, "gCO2e"),
        *(Step("note", note) for note in footprint.notes if note not in tokens.notes),
    )


def _model_steps(call: Call, found: Derivation, footprint: Footprint) -> Iterator[Step]:
    yield Step("model", f"{call.model or call.request_model!s} is read as {found.model.name or 'no name'}")
    basis = found.row.published.get("basis") or found.row.published.get("rule") or ""
    yield Step(
        "factor",
        f"{footprint.factor.id} of {footprint.factor.set}, by {footprint.factor.match}; "
        f"confidence {footprint.confidence.value}{f' ({basis})' if basis else ''}",
        source_id=found.row.source_id,
    )


def _figure_steps(estimator: Estimator, call: Call, usage: Usage, found: Derivation) -> Iterator[Step]:
    constants = estimator.tables.constants
    lca, model = found.factor_set.lca, found.row.lca
    if found.factor_set.basis is Basis.PER_TOKEN:
        return token_steps(usage, found, constants)
    if lca is not None and model is not None:
        return lca_steps(call, found, lca, model)
    return amount_steps(usage, found, constants)
