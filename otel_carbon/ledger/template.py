"""The canonical encoding of a line with the constant columns filled in: several times as fast as the plain way."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from otel_carbon.ledger.canonical import real_digits
from otel_carbon.ledger.columns import COLUMNS, MEDIA, QUANTITIES, bounds_of

__all__ = ["INDEX", "encode_with", "template_of"]

INDEX = {column.name: index for index, column in enumerate(COLUMNS)}
"""Position of each column in a row."""

_TOKENS = slice(INDEX["input_tokens"], INDEX["reasoning_tokens"] + 1)
_MEDIA = slice(INDEX[MEDIA[0]], INDEX[MEDIA[-1]] + 1)
_NO_MEDIA = (None,) * len(MEDIA)
_DRY = slice(INDEX["it_energy_wh_low"], INDEX["water_liters_low"])
_SPARSE = QUANTITIES[QUANTITIES.index("water_liters") :]
_SPARSE_RUN = slice(_DRY.stop, _DRY.stop + 3 * len(_SPARSE))
_ALL_ABSENT = ("",) * (3 * len(_SPARSE))
_NO_SPARSE = (None,) * (3 * len(_SPARSE))
_CLAIM = slice(INDEX["claimed_energy_wh"], INDEX["claim_differs"] + 1)
_CLAIM_DIFFERS = INDEX["claim_differs"]
_CLAIM_NAMES = ("claim_differs", "claimed_co2e_grams", "claimed_energy_wh", "claimed_factor_id", "claimed_factor_set")
# Each stands for members that may be absent.
_OWN_TEXTS = ("conversation", "response_id", "user")  # of one call each, or of few
_FRAGMENTS = {"claim_differs", *_OWN_TEXTS, *(f"{quantity}_central" for quantity in _SPARSE)}
_IN_FRAGMENTS = {*_CLAIM_NAMES, *(name for quantity in _SPARSE for name in bounds_of(quantity)), *MEDIA, *_OWN_TEXTS}
_OWN_INDEXES = tuple((name, INDEX[name]) for name in _OWN_TEXTS)
_TEXTS = {"occurred_at", "recorded_at", "span_id", "trace_id"}
_INTEGERS = {column.name for column in COLUMNS[_TOKENS]} | {"seq"}
_REALS = {column.name for column in COLUMNS[_DRY]}
_holes_of = itemgetter(*(INDEX[name] for name in sorted(_FRAGMENTS | _INTEGERS | _TEXTS | _REALS)))
_pack = struct.Struct(f">{len(_REALS)}d").pack
_MINUS_ZERO = "8" + real_digits(0.0)[1:]


def template_of(*runs: tuple[str | float | None, ...]) -> str:
    """Return the encoding of all lines that share three runs: `service` to `calls`, `region` to `status`, and the tail.

    It is that of a line with usage, without items, and with what every estimate has: a `%s` for each hole. Every member
    begins with its comma: the first one may be absent.
    """
    who, where, tail = runs
    constant: dict[str, str | float | None] = {"kind": "call"}
    for first, run in (("service", who), ("region", where), ("adjusted_count", tail)):
        start = INDEX[first]
        constant |= {column.name: value for column, value in zip(COLUMNS[start:], run, strict=False)}
    members = [_member(name, constant) for name in sorted(INDEX) if name != "hash"]
    return "".join(members)


def encode_with(template: str, row: Sequence[Any]) -> bytes | None:
    """Return the canonical encoding of a row, or None where only the plain way will do."""
    quantities, sparse = row[_DRY], tuple(row[_SPARSE_RUN])
    if None in quantities or None in row[_TOKENS] or tuple(row[_MEDIA]) != _NO_MEDIA:
        return None
    reals = _pack(*quantities).hex(" ", 8).split(" ")
    if _MINUS_ZERO in reals:
        return None
    values = list(row)
    values[_DRY] = reals
    values[_SPARSE_RUN] = _ALL_ABSENT if sparse == _NO_SPARSE else _sparse_members(sparse)
    for name, index in _OWN_INDEXES:
        text = row[index]
        values[index] = "" if text is None else f',"{name}":{encode_basestring(text)}'
    values[_CLAIM_DIFFERS] = _claim_members(row[_CLAIM])
    members = template % _holes_of(values)
    return f"{{{members[1:]}}}".encode()


def _member(name: str, constant: dict[str, str | float | None]) -> str:
    if name in _FRAGMENTS:
        return "%s"
    if name in _IN_FRAGMENTS:
        return ""
    if name in _INTEGERS:
        return f',"{name}":%s'
    if name in _TEXTS or name in _REALS:
        return f',"{name}":"%s"'
    value = constant[name]
    if value is None:
        return ""
    text = real_digits(value) if isinstance(value, float) else value
    return f',"{name}":{json.dumps(text, ensure_ascii=False)}'.replace("%", "%%")


def _sparse_members(sparse: Sequence[float | None]) -> list[str]:
    """Return the members of each sparse quantity in the place of its central value, nothing in the other places."""
    found: list[str] = []
    for place, quantity in enumerate(_SPARSE):
        low, central, high = sparse[3 * place : 3 * place + 3]
        members = ""
        if low is not None and central is not None and high is not None:
            bounds = (("central", central), ("high", high), ("low", low))
            members = "".join(f',"{quantity}_{bound}":"{real_digits(value)}"' for bound, value in bounds)
        found += ("", members, "")
    return found


def _claim_members(claim: Sequence[Any]) -> str:
    energy_wh, co2e_grams, factor_set, factor_id, differs = claim
    if differs is None:
        return ""
    members = f',"claim_differs":{differs}'
    if co2e_grams is not None:
        members += f',"claimed_co2e_grams":"{real_digits(co2e_grams)}"'
    if energy_wh is not None:
        members += f',"claimed_energy_wh":"{real_digits(energy_wh)}"'
    if factor_id is not None:
        members += f',"claimed_factor_id":{encode_basestring(factor_id)}'
    if factor_set is not None:
        members += f',"claimed_factor_set":{encode_basestring(factor_set)}'
    return members
