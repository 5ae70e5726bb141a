"""Rows for what is counted by the item: reading one, and finding the one for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.constants import Constants, times_divided
from otel_carbon.factors.files import interval, number
from otel_carbon.factors.plausible import check_plausible
from otel_carbon.factors.rows import Boundary, FactorRow, ItemRate
from otel_carbon.model import Confidence, ItemKind

__all__ = ["best_match", "item_default", "item_rate", "served_by"]

_KEY = "wh_per_item"
_UNITS = {ItemKind.IMAGES: "image", ItemKind.VIDEOS: "clip", ItemKind.AUDIO_SECONDS: "second of audio"}


def item_rate(where: str, row: Mapping[str, Any], confidence: Confidence, constants: Constants) -> ItemRate:
    """Return the energy of one item; a plain number gets bounds by confidence.

    Raises:
        FactorError: a value is missing, malformed, or can only be one in another unit.
    """
    try:
        kind = ItemKind(row.get("kind", ""))
    except ValueError:
        raise FactorError(f"{where}: kind must be one of {', '.join(ItemKind)}, not {row.get('kind')!r}") from None
    if _KEY not in row:
        raise FactorError(f"{where}: {_KEY} is missing")
    value = row[_KEY]
    if isinstance(value, dict):
        energy_wh = interval(where, _KEY, value)
    else:
        energy_wh = times_divided(number(where, _KEY, value), constants.bounds_factor[confidence])
    check_plausible(where, f"{_KEY} of {kind}", energy_wh.central)
    return ItemRate(kind, energy_wh, _boundary(where, row), str(row.get("unit", _UNITS[kind])))


def served_by(row: FactorRow, providers: Sequence[str]) -> bool:
    """Return whether a row holds for who serves the model, by any of the names that they go by."""
    return not row.providers or not set(row.providers).isdisjoint(providers)


def best_match(rows: Sequence[FactorRow], name: str, providers: Sequence[str] = ()) -> FactorRow | None:
    """Return the row with this exact name, else the one whose glob has most literal characters.

    Of two that match alike, the one that names who serves the model goes first.
    """
    found = [
        (_literals(pattern, name), bool(row.providers), -index, row)
        for index, row in enumerate(rows)
        if served_by(row, providers)
        for pattern in row.match
        if pattern == name or fnmatchcase(name, pattern)
    ]
    return max(found, key=lambda each: each[:3])[3] if found else None


def item_default(rows: Sequence[FactorRow], kind: ItemKind, providers: Sequence[str] = ()) -> FactorRow | None:
    """Return the row that answers for every model, where there is one."""
    for row in rows:
        if row.item is not None and row.item.kind is kind and not row.match and served_by(row, providers):
            return row
    return None


def _boundary(where: str, row: Mapping[str, Any]) -> Boundary:
    allowed = [each.value for each in Boundary if each is not Boundary.NONE]
    value = row.get("energy_boundary")
    if value not in allowed:
        raise FactorError(f"{where}: energy_boundary must be one of {', '.join(allowed)}, not {value!r}")
    return Boundary(value)


def _literals(pattern: str, name: str) -> int:
    """Return how well a pattern fits: its literal characters, and more than any glob for the name itself."""
    return len(name) + 1 if pattern == name else len(pattern) - pattern.count("*") - pattern.count("?")
