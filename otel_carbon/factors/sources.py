"""The publications that every number rests on: of `data/sources.csv`, and those that a factor set brings along."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.keys import SOURCE_KEYS
from otel_carbon.model import Source

__all__ = ["grid_source_ids", "load_sources", "own_sources", "source_named"]

_REQUIRED = ("id", "citation", "url", "date", "licence")
_OWN = "given by the factor set itself"
_TRACE = "csv:"
_USER = "user"
# NESO counts what leaves the stack; the rest of the life cycle is added by fuel.
_ADDED = {"uk-carbon-intensity-half-hourly": ("ipcc-ar5-wg3-annex3",)}


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


def grid_source_ids(source_id: str | None) -> tuple[str, ...]:
    """Return the publications that a grid intensity rests on: its own, and what was added to it here."""
    if not source_id:
        return ()
    return (source_id, *_ADDED.get(source_id, ()))


def source_named(sources: Mapping[str, Source], source_id: str) -> Source | None:
    """Return a source by the id that a line or a span has; what the operator gave is named as such.

    None: an id that is not here, such as that of a factor set which is not loaded.
    """
    if source_id.startswith(_TRACE):
        name = source_id.removeprefix(_TRACE)
        return _of_operator(source_id, f"Grid intensities by the hour from the operator's own file {name}.csv")
    if source_id == _USER:
        return _of_operator(source_id, "A figure that the operator gave as a setting")
    return sources.get(source_id)


def _of_operator(source_id: str, citation: str) -> Source:
    note = "ask whoever runs otel-carbon for the publication behind it"
    return Source(source_id, citation, "", "", "the operator's own", "not verified", note)


def own_sources(file: str, rows: Sequence[Mapping[str, Any]], known: Mapping[str, Source]) -> dict[str, Source]:
    """Return the sources that a factor-set file brings along, by id.

    Two files may bring the same source; none may give another one under the id of a known source.

    Raises:
        FactorError: a key is missing, empty or unknown, or an id stands for two sources.
    """
    sources: dict[str, Source] = {}
    for row in rows:
        where = f"{file}, source {row.get('id')!r}"
        for key in sorted(row.keys() - SOURCE_KEYS):
            raise FactorError(f"{where}: unknown key {key!r}")
        for key in _REQUIRED:
            if not str(row.get(key, "")).strip():
                raise FactorError(f"{where}: {key} is missing; a source needs {', '.join(_REQUIRED)}")
        values = {key: str(row[key]) for key in row}
        source = Source(**{"note": "", **values}, verification=_OWN)
        if source.id in sources or known.get(source.id, source) != source:
            raise FactorError(f"{where}: the id is taken by another source; give this one an id of its own")
        sources[source.id] = source
    return sources
