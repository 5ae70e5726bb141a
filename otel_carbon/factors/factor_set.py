"""Reading one factor-set file: TOML, `schema = 1`, refused as a whole where one row is wrong."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from otel_carbon.errors import FactorError
from otel_carbon.factors.constants import Constants
from otel_carbon.factors.files import DATA_DIRECTORY, number, read_toml
from otel_carbon.factors.items import item_rate
from otel_carbon.factors.keys import (
    ENERGY_OR_CARBON_KEYS,
    ITEM_KEYS,
    PUBLISHED_PREFIX,
    REGION_KEYS,
    ROW_KEYS,
    SET_KEYS,
    TOP_KEYS,
    TOTAL_KEYS,
)
from otel_carbon.factors.plausible import check_plausible
from otel_carbon.factors.rates import token_rates
from otel_carbon.factors.rows import PART_STATES, Basis, Boundary, FactorRow, FactorSet, RegionRow
from otel_carbon.factors.scale import request_scale
from otel_carbon.factors.sources import own_sources
from otel_carbon.model import Confidence, Source

if TYPE_CHECKING:
    from otel_carbon.factors.lca import LcaTables

__all__ = ["load_factor_set"]

E = TypeVar("E", Basis, Boundary, Confidence)

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
    _refuse_unknown(path.name, document, TOP_KEYS)
    if document.get("schema") != 1:
        raise FactorError(f"{path.name}: schema must be 1, not {document.get('schema')!r}")
    head = document.get("set")
    if not isinstance(head, dict):
        raise FactorError(f"{path.name}: the table [set] is missing")
    own = own_sources(path.name, document.get("source", ()), sources)
    reader = _Reader(path.name, {**sources, **own}, constants, head)
    return replace(_factor_set(path, head, document, reader), sources=own)


class _Reader:
    """Reads rows of one file, with what every row needs."""

    def __init__(self, file: str, source_ids: Container[str], constants: Constants, head: Mapping[str, Any]) -> None:
        self._file = file
        self._source_ids = source_ids
        self._constants = constants
        self._head = head

    def source_id(self, where: str, row: Mapping[str, Any]) -> str:
        value = _text(where, row, "source_id")
        if value not in self._source_ids:
            raise FactorError(f"{where}: source_id {value!r} is not a known source; describe it in a [[source]]")
        return value

    def row(self, kind: str, raw: Mapping[str, Any]) -> FactorRow:
        name = _text(f"{self._file}, [[{kind}]]", raw, "name")
        where = f"{self._file}, {kind} {name!r}"
        _refuse_unknown(where, {key: 0 for key in raw if not key.startswith(PUBLISHED_PREFIX)}, ROW_KEYS)
        if not ENERGY_OR_CARBON_KEYS & raw.keys():
            raise FactorError(
                f"{where}: no energy and no carbon key; one of {', '.join(sorted(ENERGY_OR_CARBON_KEYS))}"
            )
        for key in TOTAL_KEYS & raw.keys():
            check_plausible(where, key, number(where, key, raw[key]))
        request_scale(where, raw)
        confidence = _member(where, Confidence, _text(where, raw, "confidence"))
        per_token = self._head.get("basis") == Basis.PER_TOKEN
        rates = token_rates(where, raw, self._head, confidence, self._constants) if per_token else None
        match = _texts(where, raw, "match") if kind == "model" else ()
        return FactorRow(
            name, match, confidence, self.source_id(where, raw), rates, raw, providers=_providers(where, raw)
        )

    def item(self, raw: Mapping[str, Any]) -> FactorRow:
        name = _text(f"{self._file}, [[item]]", raw, "name")
        where = f"{self._file}, item {name!r}"
        _refuse_unknown(where, raw, ITEM_KEYS)
        confidence = _member(where, Confidence, _text(where, raw, "confidence"))
        return FactorRow(
            name,
            _texts(where, raw, "match") if "match" in raw else (),
            confidence,
            self.source_id(where, raw),
            None,
            raw,
            item=item_rate(where, raw, confidence, self._constants),
            providers=_providers(where, raw),
        )

    def region(self, raw: Mapping[str, Any]) -> RegionRow:
        name = _text(f"{self._file}, [[region]]", raw, "name")
        where = f"{self._file}, region {name!r}"
        _refuse_unknown(where, raw, REGION_KEYS)
        intensity = number(where, "g_per_kwh", raw.get("g_per_kwh"))
        check_plausible(where, "g_per_kwh", intensity)
        return RegionRow(name, intensity, _texts(where, raw, "regions"), self.source_id(where, raw))


def _factor_set(path: Path, head: Mapping[str, Any], document: Mapping[str, Any], reader: _Reader) -> FactorSet:
    file = path.name
    where = f"{file}, [set]"
    _refuse_unknown(where, head, SET_KEYS)
    basis = _member(where, Basis, _text(where, head, "basis"))
    models = [reader.row("model", raw) for raw in document.get("model", ())]
    if basis is Basis.PARAMETRIC:
        from otel_carbon.factors.parametric import parametric_rows  # noqa: PLC0415 - start-up must be light

        confidence = _member(where, Confidence, _text(where, head, "default_confidence"))
        models += parametric_rows(_beside(path, where, head, "model_file"), confidence, reader.source_id(where, head))
    classes = [reader.row("class", raw) for raw in document.get("class", ())]
    items = tuple(reader.item(raw) for raw in document.get("item", ()))
    regions = tuple(reader.region(raw) for raw in document.get("region", ()))
    _refuse_doubles(f"{file}, [[model]]", [row.name for row in models])
    _refuse_doubles(f"{file}, [[class]]", [row.name for row in classes])
    _refuse_doubles(f"{file}, [[region]]", [row.name for row in regions])
    # A model's own name beside that of a class or an item would leave open which row a recorded id means.
    _refuse_doubles(f"{file}, row", [row.name for row in (*models, *classes, *items)])
    _refuse_doubles(f"{file}, [[model]] match", _matches(models))
    _refuse_doubles(f"{file}, [[item]] match", _matches(items))
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
        id=_text(where, head, "id"),
        version=_text(where, head, "version"),
        title=_text(where, head, "title"),
        licence=_text(where, head, "licence"),
        source_id=reader.source_id(where, head),
        valid_from=_date(where, "valid_from", head.get("valid_from", "1970-01-01")),
        valid_to=_date(where, "valid_to", head["valid_to"]) if "valid_to" in head else None,
        basis=basis,
        boundary=_member(where, Boundary, _text(where, head, "energy_boundary")),
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
        warning=_text(where, head, "warning") if "warning" in head else None,
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
        _text(where, head, "version"),
        _beside(path, where, head, "grid_file"),
        DATA_DIRECTORY / "countries.csv",
    )


def _beside(path: Path, where: str, head: Mapping[str, Any], key: str) -> Path:
    """Return a file that the set names: beside it, else one of the package."""
    name = _text(where, head, key)
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


def _providers(where: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
    if "providers" not in raw:
        return ()
    return tuple(provider.strip().lower() for provider in _texts(where, raw, "providers"))


def _text(where: str, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise FactorError(f"{where}: {key} is missing or not a text")
    return value


def _texts(where: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise FactorError(f"{where}: {key} must be a list of texts")
    return tuple(value)


def _date(where: str, key: str, value: object) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise FactorError(f"{where}: {key} is not a date such as 2026-11-01: {value!r}") from None


def _member(where: str, kind: type[E], value: str) -> E:
    try:
        return kind(value.replace("-", "_"))
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise FactorError(f"{where}: {value!r} is not one of {known}") from None


def _refuse_unknown(where: str, table: Mapping[str, Any], known: Container[str]) -> None:
    unknown = sorted(key for key in table if key not in known)
    if unknown:
        raise FactorError(f"{where}: unknown key {unknown[0]!r}")


def _refuse_doubles(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FactorError(f"{where}: {name!r} stands there twice")
        seen.add(name)
