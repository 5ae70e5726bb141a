"""The publications that every number rests on, from `data/sources.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

from otel_carbon.errors import FactorError
from otel_carbon.model import Source

__all__ = ["load_sources"]


def load_sources(path: Path) -> dict[str, Source]:
    """Read the sources by id.

    Raises:
        FactorError: the file is missing, or a source has no citation, address or licence.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FactorError(f"{path}: cannot be read: {error.strerror}") from error
    sources: dict[str, Source] = {}
    for row in csv.DictReader(text.splitlines()):
        source = Source(
            id=row["source_id"],
            citation=row["citation"],
            url=row["url"],
            date=row["date"],
            licence=row["licence"],
            verification=row["verification"],
            note=row["note"],
        )
        if not (source.id and source.citation and source.url and source.licence):
            raise FactorError(f"{path.name}, {source.id!r}: a source needs a citation, a url and a licence")
        sources[source.id] = source
    return sources
