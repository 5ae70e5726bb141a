"""Rows of a parametric factor set: one per model of its table."""

from __future__ import annotations

from pathlib import Path

from otel_carbon.factors.files import DATA_DIRECTORY
from otel_carbon.factors.lca import read_lca_models
from otel_carbon.factors.names import load_name_rules, normalise
from otel_carbon.factors.rows import FactorRow
from otel_carbon.model import Confidence

__all__ = ["parametric_rows"]

_PREFIX = "ecologits:"


def parametric_rows(path: Path, confidence: Confidence, source_id: str) -> list[FactorRow]:
    """Return a row per model, which answers to its name as published and, where that is free, as normalised.

    A dated snapshot may have a speed of its own, so that the published name goes first.

    Raises:
        FactorError: the table is damaged.
    """
    rules = load_name_rules(DATA_DIRECTORY / "name_rules.toml")
    # Where a hub and a model's maker have the same name, the maker's figures go first.
    models = sorted(read_lca_models(path), key=lambda found: found[0].provider == "huggingface_hub")
    taken = {model.name.lower() for model, _ in models}
    rows: list[FactorRow] = []
    for model, published in models:
        names = [model.name.lower()]
        short = normalise(model.name, rules).name
        if short not in taken:
            taken.add(short)
            names.append(short)
        rows.append(FactorRow(_PREFIX + model.name, tuple(names), confidence, source_id, None, published, model))
    return rows
