"""Factor sets and look-ups as plain data, for JSON and for tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from otel_carbon.factors.match import match_model
from otel_carbon.factors.names import normalise
from otel_carbon.factors.patterns import classify
from otel_carbon.factors.rows import FactorRow, FactorSet
from otel_carbon.factors.tables import FactorTables

__all__ = ["model_document", "row_document", "set_document"]

_FOUND = ("asked", "set", "id", "match", "confidence", "energy_boundary", "rates")


def set_document(factor_set: FactorSet, tables: FactorTables, *, rows: bool) -> dict[str, Any]:
    """Return a factor set as plain data, with its rows where wanted."""
    document: dict[str, Any] = {
        "id": factor_set.id,
        "version": factor_set.version,
        "title": factor_set.title,
        "basis": factor_set.basis.value,
        "energy_boundary": factor_set.boundary.value,
        "valid_from": factor_set.valid_from.isoformat(),
        "valid_to": factor_set.valid_to.isoformat() if factor_set.valid_to else None,
        "licence": factor_set.licence,
        "source": asdict({**tables.sources, **factor_set.sources}[factor_set.source_id]),
        "fallback": factor_set.fallback_id,
        "warning": factor_set.warning,
        "models": len(factor_set.models),
        "classes": len(factor_set.classes),
        "items": len(factor_set.items),
    }
    if rows:
        document["models"] = [row_document(row) for row in factor_set.models]
        document["classes"] = [row_document(row) for row in factor_set.classes.values()]
        document["items"] = [row_document(row) for row in factor_set.items]
    return document


def row_document(row: FactorRow) -> dict[str, Any]:
    """Return a row as plain data: Wh per million tokens with bounds, beside what the file gives."""
    return {
        "id": row.name,
        "match": list(row.match),
        "confidence": row.confidence.value,
        "source_id": row.source_id,
        "rates": None if row.rates is None else asdict(row.rates),
        "item": None if row.item is None else asdict(row.item),
        "providers": list(row.providers),
        "parameters": None if row.lca is None else asdict(row.lca),
        "published": {key: value for key, value in row.published.items() if key not in ("name", "match", "providers")},
    }


def model_document(raw: str, tables: FactorTables) -> dict[str, Any]:
    """Return how a raw model name is read, its class, and its row in every factor set."""
    name = normalise(raw, tables.name_rules)
    found = classify(name.name, tables.patterns)
    sets: list[dict[str, Any]] = []
    for set_id in tables.set_ids:
        match = match_model(tables, tables.factor_set(set_id), name, raw)
        if match is None:
            sets.append(dict.fromkeys(_FOUND) | {"asked": set_id})
            continue
        rates = None if match.row.rates is None else asdict(match.row.rates)
        sets.append(
            {
                "asked": set_id,
                "set": match.set_id,
                "id": match.row.name,
                "match": match.step,
                "confidence": match.confidence.value,
                "energy_boundary": tables.factor_set(match.set_id).boundary.value,
                "rates": rates,
            }
        )
    return {
        "raw": raw,
        **asdict(name),
        "class": found.model_class,
        "family": found.family,
        "class_match": found.step,
        "sets": sets,
    }
