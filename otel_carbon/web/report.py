"""The report over HTTP: the query parameters are the options of `otel-carbon report`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.ledger import Ledger
from otel_carbon.reports import DEFAULT_BY, functional_units, report_document, summarise

__all__ = ["report_of_query"]

_PARAMETERS = ("from", "to", "as_of", "by", "tenant", "where", "functional_unit")


def report_of_query(path: Path, query: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the JSON of the report that a query asks of the ledger in a file.

    Raises:
        ConfigError: a parameter is unknown, or its value is wrong.
        StorageError: the ledger cannot be read.
    """
    for name in query:
        if name not in _PARAMETERS:
            raise ConfigError(f"{name}: unknown parameter; known: {', '.join(_PARAMETERS)}")
    by = query["by"].split(",") if "by" in query else DEFAULT_BY
    with closing(Ledger.open_read_only(path)) as ledger:
        report = summarise(
            ledger,
            query.get("from"),
            query.get("to"),
            query.get("as_of"),
            by=by,
            tenant=query.get("tenant"),
            where=_listed(query, "where"),
            units=functional_units(_listed(query, "functional_unit")),
        )
    return report_document(report)


def _listed(query: Mapping[str, str], name: str) -> list[str]:
    return [part for part in query.get(name, "").split(",") if part]
