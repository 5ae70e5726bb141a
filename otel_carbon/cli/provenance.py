"""What `factors explain` is asked about besides a model: a line of the ledger, or the attributes of a span."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, cast

from otel_carbon.cli.report import chosen_ledger
from otel_carbon.errors import ConfigError, StorageError
from otel_carbon.estimator import Estimator
from otel_carbon.estimator.settings import settings_from_environment
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger
from otel_carbon.reports.provenance import Provenance, provenance_of_attributes, provenance_of_line

__all__ = ["found_provenance"]


def found_provenance(args: argparse.Namespace, tables: FactorTables) -> Provenance:
    """Return the provenance of the line or the attributes that the options name.

    Raises:
        ConfigError: what they name is not there, or is not what it should be.
        StorageError: the ledger cannot be read.
    """
    estimator = Estimator(tables, settings_from_environment(os.environ))
    if args.attributes is not None:
        return provenance_of_attributes(_attributes(args.attributes), estimator)
    path = chosen_ledger(argparse.Namespace(ledger=args.ledger, data_dir=None))
    if not path.exists():
        raise StorageError(f"there is no ledger at {path}")
    ledger = Ledger.open_read_only(path)
    try:
        with ledger.snapshot() as connection:
            return provenance_of_line(connection, estimator, where=_where(args))
    finally:
        ledger.close()


def _where(args: argparse.Namespace) -> tuple[str, ...]:
    if args.line is not None:
        return (str(args.line),)
    trace_id, slash, span_id = str(args.span).strip().lower().partition("/")
    if not (trace_id and slash and span_id):
        raise ConfigError(f"--span: {args.span!r} is not TRACE_ID/SPAN_ID in hexadecimal")
    return trace_id, span_id


def _attributes(path: Path) -> dict[str, Any]:
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--attributes: {path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f'--attributes: {path} must hold one JSON object, such as {{"otel_carbon.factor.set": "…"}}')
    return cast("dict[str, Any]", document)
