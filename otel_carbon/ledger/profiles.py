"""What repeats from line to line, prepared once: the constant columns, and the encoding with holes for the others."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from otel_carbon.ledger.canonical import real_digits
from otel_carbon.ledger.clock import utc_text_of_nanoseconds
from otel_carbon.ledger.columns import COLUMNS, MEDIA, QUANTITIES, bounds_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import Call, Confidence, Footprint, NotEstimated, Outcome, Sighting, Status, believed_count

__all__ = ["INDEX", "Account", "Profile", "Why", "adjusted_count_of", "new_profile", "profile_key", "why_of"]

INDEX = {column.name: index for index, column in enumerate(COLUMNS)}
"""Position of each column in a row."""

Why = tuple[str, ...]
"""How a call came out: its status, and what a reader of the line must know."""

Account = tuple[str | float | None, ...]
"""`ghg_scope` to `market_based_source`."""

_UNVERIFIED = "unverified"
_ESTIMATED = Status.ESTIMATED.value
# GHG Protocol scope 3: primary data come from the supplier itself; a public benchmark of the model is secondary.
_DATA_TIERS = {
    Confidence.MEASURED: "secondary",
    Confidence.VENDOR_REPORTED: "primary",
    Confidence.ESTIMATED: "secondary",
    Confidence.CLASS_DEFAULT: "proxy",
    Confidence.LOW: "proxy",
}
_TOKENS = slice(INDEX["input_tokens"], INDEX["reasoning_tokens"] + 1)
_MEDIA = slice(INDEX[MEDIA[0]], INDEX[MEDIA[-1]] + 1)
_NO_MEDIA = (None,) * len(MEDIA)
_DRY = slice(INDEX["it_energy_wh_low"], INDEX["water_liters_low"])
_SPARSE = QUANTITIES[QUANTITIES.index("water_liters") :]
_SPARSE_RUN = slice(_DRY.stop, _DRY.stop + 3 * len(_SPARSE))
_ALL_ABSENT = ("",) * (3 * len(_SPARSE))
_NO_SPARSE = (None,) * (3 * len(_SPARSE))
_CLAIM = slice(INDEX["claimed_energy_wh"], INDEX["claim_differs"] + 1)
_RESPONSE_ID, _CLAIM_DIFFERS = INDEX["response_id"], INDEX["claim_differs"]
_CLAIM_NAMES = ("claim_differs", "claimed_co2e_grams", "claimed_energy_wh", "claimed_factor_id", "claimed_factor_set")
# Each stands for members that may be absent.
_FRAGMENTS = {"claim_differs", "response_id", *(f"{quantity}_central" for quantity in _SPARSE)}
_IN_FRAGMENTS = {*_CLAIM_NAMES, *(name for quantity in _SPARSE for name in bounds_of(quantity)), *MEDIA, "response_id"}
_TEXTS = {"occurred_at", "recorded_at", "span_id", "trace_id"}
_INTEGERS = {column.name for column in COLUMNS[_TOKENS]} | {"seq"}
_REALS = {column.name for column in COLUMNS[_DRY]}
_holes_of = itemgetter(*(INDEX[name] for name in sorted(_FRAGMENTS | _INTEGERS | _TEXTS | _REALS)))
_pack = struct.Struct(f">{len(_REALS)}d").pack
_MINUS_ZERO = "8" + real_digits(0.0)[1:]


@dataclass(frozen=True, slots=True)
class Profile:
    """The columns that all calls of one sort share, in three runs of the table's order."""

    who: tuple[str | float | None, ...]
    """`service` to `calls`."""
    where: tuple[str | float | None, ...]
    """`region` to `status`."""
    tail: tuple[str | float | None, ...]
    """`adjusted_count` to `reason`."""
    adjusted_count: float
    template: str
    """The canonical encoding of a line with usage, no items and what every estimate has: a `%s` for each hole.

    Every member begins with its comma: the first one may be absent.
    """

    def encode(self, row: Sequence[Any]) -> bytes | None:
        """Return the canonical encoding of a row of this profile, or None where only the plain way will do."""
        quantities, sparse = row[_DRY], tuple(row[_SPARSE_RUN])
        if None in quantities or None in row[_TOKENS] or tuple(row[_MEDIA]) != _NO_MEDIA:
            return None
        reals = _pack(*quantities).hex(" ", 8).split(" ")
        if _MINUS_ZERO in reals:
            return None
        values = list(row)
        values[_DRY] = reals
        values[_SPARSE_RUN] = _ALL_ABSENT if sparse == _NO_SPARSE else _sparse_members(sparse)
        values[_RESPONSE_ID] = _response_member(row[_RESPONSE_ID])
        values[_CLAIM_DIFFERS] = _claim_members(row[_CLAIM])
        members = self.template % _holes_of(values)
        return f"{{{members[1:]}}}".encode()


def why_of(outcome: Outcome, notes: tuple[str, ...] | None) -> Why:
    """Return how a call came out; `notes`, where given, are those of the line instead of the footprint's own."""
    if isinstance(outcome, NotEstimated):
        return (outcome.status.value, outcome.reason)
    return (_ESTIMATED, *(outcome.notes if notes is None else notes))


def profile_key(sighting: Sighting, call: Call, why: Why, place: Footprint | None, source: str) -> tuple[Any, ...]:
    """Return what two calls must have in common to share a profile."""
    who = sighting.attribution
    key = (
        source,
        sighting.adjusted_count,
        who.service,
        who.environment,
        who.tenant,
        who.project,
        who.workload,
        who.user,
        who.agent,
        who.conversation,
        call.provider,
        call.request_model,
        call.model,
        call.operation,
    )
    if place is None:
        return (*key, why)
    region, grid, factor = place.region, place.grid, place.factor
    return (
        *key,
        why,
        place.model,
        region.name,
        region.source,
        grid.zone,
        grid.intensity_g_per_kwh,
        grid.source,
        grid.period_start_unix_nano,
        grid.quality,
        factor.set,
        factor.id,
        factor.match,
        place.confidence.value,
    )


def new_profile(
    sighting: Sighting, call: Call, why: Why, place: Footprint | None, source: str, *, account: Account
) -> Profile:
    """Return the profile of this call and all others with the same `profile_key` and the same account."""
    count = adjusted_count_of(sighting)
    who = (*_who(sighting, call, place), count)
    where = (*_where(place, estimated=why[0] == _ESTIMATED), *account, _UNVERIFIED, clean(source), why[0])
    tail = (_claimed_count(sighting), None, clean("; ".join(why[1:])) or None)
    return Profile(who, where, tail, count, _template(who, where, tail))


def adjusted_count_of(sighting: Sighting) -> float:
    """Return for how many calls a sighting counts; an implausible number counts as one."""
    return believed_count(sighting.adjusted_count)


def _claimed_count(sighting: Sighting) -> float:
    """Return the number as it is kept: an implausible one stays visible, what is no number of calls is one."""
    count = sighting.adjusted_count
    return float(count) if 1.0 <= count < math.inf else 1.0


def _who(sighting: Sighting, call: Call, place: Footprint | None) -> tuple[str | None, ...]:
    who = sighting.attribution
    normalised = place.model if place is not None else None
    parties = (who.service, who.environment, who.tenant, who.project, who.workload)
    names = (*parties, who.user, who.agent, who.conversation)
    models = (call.provider, call.request_model, call.model, normalised, call.operation)
    return tuple(clean(name) for name in (*names, *models))


def _where(place: Footprint | None, *, estimated: bool) -> tuple[str | float | None, ...]:
    if place is None:
        return (None,) * 12
    region, grid, factor = place.region, place.grid, place.factor
    # Factor and confidence say how a number came about; a line without a number has neither.
    made = (factor.set, factor.id, factor.match, place.confidence.value, _DATA_TIERS[place.confidence])
    intensity = grid.intensity_g_per_kwh
    return (
        clean(region.name),
        clean(region.source),
        clean(grid.zone),
        float(intensity) if intensity is not None and math.isfinite(intensity) else None,
        clean(grid.source),
        _time_text(grid.period_start_unix_nano),
        clean(grid.quality),
        *(clean(name) if estimated else None for name in made),
    )


def _time_text(unix_nano: int | None) -> str | None:
    return None if unix_nano is None else utc_text_of_nanoseconds(unix_nano)


def _template(*runs: tuple[str | float | None, ...]) -> str:
    who, where, tail = runs
    constant: dict[str, str | float | None] = {"kind": "call"}
    for first, run in (("service", who), ("region", where), ("adjusted_count", tail)):
        start = INDEX[first]
        constant |= {column.name: value for column, value in zip(COLUMNS[start:], run, strict=False)}
    members = [_member(name, constant) for name in sorted(INDEX) if name != "hash"]
    return "".join(members)


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


def _response_member(response_id: str | None) -> str:
    return "" if response_id is None else f',"response_id":{encode_basestring(response_id)}'


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
