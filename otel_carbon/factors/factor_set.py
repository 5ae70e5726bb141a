"""Reading one factor-set file: TOML, `schema = 1`, refused as a whole where one row is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.constants import Constants
from otel_carbon.factors.fields import day, member, refuse_doubles, refuse_unknown, text
from otel_carbon.factors.files import DATA_DIRECTORY, number, read_toml
from otel_carbon.factors.keys import SET_KEYS, TOP_KEYS
from otel_carbon.factors.row_reader import RowReader
from otel_carbon.factors.rows import PART_STATES, Basis, Boundary, FactorRow, FactorSet
from otel_carbon.factors.sources import own_sources
from otel_carbon.model import Confidence, Source

if TYPE_CHECKING:
    from otel_carbon.factors.lca import LcaTables

__all__ = ["load_factor_set"]

_PARTS = {"grid": "grid", "PUE": "pue", "hardware": "embodied", "water": "water"}
_WILDCARDS = frozenset("*?[")
_FIGURES_OF: Mapping[Basis, frozenset[str]] = {
    Basis.TOTAL_KWH_PER_1M: frozenset({"total_kwh_per_1m"}),
    Basis.TOTAL_G_PER_1K: frozenset({"total_g_per_1k"}),
    Basis.PER_REQUEST: frozenset({"request_wh", "request_g"}),
}


def load_factor_set(path: Path, sources: Mapping[str, Source], constants: Constants) -> FactorSet:
    """Read and check one factor-set file.

    Raises:
        FactorError: anything in it is unknown, out of order, negative, doubled or without a source. The message
            names the file, the row and the key.
    """
    document = read_toml(path)
    refuse_unknown(path.name, document, TOP_KEYS)
    if document.get("schema") != 1:
        raise FactorError(f"{path.name}: schema must be 1, not {document.get('schema')!r}")
    head = document.get("set")
    if not isinstance(head, dict):
        raise FactorError(f"{path.name}: the table [set] is missing")
    own = own_sources(path.name, document.get("source", ()), sources)
    reader = RowReader(path.name, {**sources, **own}, constants, head)
    return replace(_factor_set(path, head, document, reader), sources=own)


def _factor_set(path: Path, head: Mapping[str, Any], document: Mapping[str, Any], reader: RowReader) -> FactorSet:
    file = path.name
    where = f"{file}, [set]"
    refuse_unknown(where, head, SET_KEYS)
    basis = member(where, Basis, text(where, head, "basis"))
    models = [reader.row("model", raw) for raw in document.get("model", ())]
    if basis is Basis.PARAMETRIC:
        from otel_carbon.factors.parametric import parametric_rows  # noqa: PLC0415 - start-up must be light

        confidence = member(where, Confidence, text(where, head, "default_confidence"))
        models += parametric_rows(_beside(path, where, head, "model_file"), confidence, reader.source_id(where, head))
    classes = [reader.row("class", raw) for raw in document.get("class", ())]
    items = tuple(reader.item(raw) for raw in document.get("item", ()))
    regions = tuple(reader.region(raw) for raw in document.get("region", ()))
    refuse_doubles(f"{file}, [[model]]", [row.name for row in models])
    refuse_doubles(f"{file}, [[class]]", [row.name for row in classes])
    refuse_doubles(f"{file}, [[region]]", [row.name for row in regions])
    # A model's own name beside that of a class or an item would leave open which row a recorded id means.
    refuse_doubles(f"{file}, row", [row.name for row in (*models, *classes, *items)])
    refuse_doubles(f"{file}, [[model]] match", _matches(models))
    refuse_doubles(f"{file}, [[item]] match", _matches(items))
    unmatched = str(head.get("unmatched", "class"))
    fallback_id = unmatched.partition("fallback:")[2] or None
    if unmatched not in ("class", "none") and fallback_id is None:
        raise FactorError(f"{where}: unmatched must be class, none or fallback:<set id>, not {unmatched!r}")
    if unmatched == "none" and classes:
        raise FactorError(f'{where}: unmatched = "none" and [[class]] contradict each other')
    if unmatched == "class" and "unknown" not in {row.name for row in classes}:
        raise FactorError(f"{where}: unmatched = \"class\" needs a [[class]] named 'unknown'")
    _refuse_missing_figures(file, basis, [*models, *classes])
    return FactorSet(
        id=text(where, head, "id"),
        version=text(where, head, "version"),
        title=text(where, head, "title"),
        licence=text(where, head, "licence"),
        source_id=reader.source_id(where, head),
        valid_from=day(where, "valid_from", head.get("valid_from", "1970-01-01")),
        valid_to=day(where, "valid_to", head["valid_to"]) if "valid_to" in head else None,
        basis=basis,
        boundary=member(where, Boundary, text(where, head, "energy_boundary")),
        fallback_id=fallback_id,
        models=tuple(models),
        classes={row.name: row for row in classes},
        regions=regions,
        exact={
            match: row for row in models for match in row.match if not _WILDCARDS & set(match) and not row.providers
        },
        items=items,
        min_bounds_factor=number(where, "min_bounds_factor", head.get("min_bounds_factor", 1.0)),
        published_labels=head.get("confidence_policy") == "as-published",
        warning=text(where, head, "warning") if "warning" in head else None,
        parts={name: _part(where, head, key) for name, key in _PARTS.items()},
        lca=_lca(path, where, head) if basis is Basis.PARAMETRIC else None,
    )


def _part(where: str, head: Mapping[str, Any], key: str) -> str:
    state = str(head.get(key, "default"))
    if state not in PART_STATES:
        raise FactorError(f"{where}: {key} must be one of {', '.join(PART_STATES)}, not {state!r}")
    return state


def _lca(path: Path, where: str, head: Mapping[str, Any]) -> LcaTables:
    from otel_carbon.factors.lca import load_lca  # noqa: PLC0415 - only a parametric set needs it

    return load_lca(
        _beside(path, where, head, "constants_file"),
        text(where, head, "version"),
        _beside(path, where, head, "grid_file"),
        DATA_DIRECTORY / "countries.csv",
    )


def _beside(path: Path, where: str, head: Mapping[str, Any], key: str) -> Path:
    """Return a file that the set names: beside it, else one of the package."""
    name = text(where, head, key)
    own = path.parent / name
    return own if own.is_file() else DATA_DIRECTORY / Path(name).name


def _refuse_missing_figures(file: str, basis: Basis, rows: Iterable[FactorRow]) -> None:
    """Refuse rows without a figure of the set's own basis."""
    wanted = _FIGURES_OF.get(basis)
    for row in rows:
        if wanted is not None and not wanted & row.published.keys():
            raise FactorError(f"{file}, row {row.name!r}: {' or '.join(sorted(wanted))} is missing ({basis.value})")


def _matches(rows: Sequence[FactorRow]) -> list[str]:
    """Return what rows match, with who serves the model where they say: the same name may have a row for each."""
    return [
        f"{match}{f' of {provider}' if provider else ''}"
        for row in rows
        for match in row.match
        for provider in row.providers or ("",)
    ]
