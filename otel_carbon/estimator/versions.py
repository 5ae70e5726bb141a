"""Which version of a factor set holds for a call, and whether it can be estimated with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from otel_carbon.errors import ConfigError
from otel_carbon.factors import Basis, FactorSet, FactorTables
from otel_carbon.units import NANOSECONDS_PER_SECOND

__all__ = ["Period", "check_usable", "periods", "valid_from_unix_nano", "validity_note"]


_VERSION_ENDING = re.compile(r"-\d[\d.]*$")


@dataclass(frozen=True, slots=True)
class Period:
    """What holds for the calls of a time: the factor set, and the user's own sets whose rows go before it."""

    factor_set: FactorSet
    own: tuple[FactorSet, ...] = ()
    notes: tuple[str, ...] = ()


def periods(versions: Sequence[FactorSet], own: Sequence[FactorSet]) -> tuple[tuple[int, ...], tuple[Period, ...]]:
    """Return the moments, in ns since 1970, at which something else begins to hold, and what holds before and after.

    There is one period more than there are moments: the first one is before all of them. `versions` are those of the
    selected set, oldest first; a call older than all has the oldest, and a note.
    """
    starts = {valid_from_unix_nano(factor_set) for factor_set in (*versions, *own)}
    ends = {_unix_nano(factor_set.valid_to) for factor_set in own if factor_set.valid_to is not None}
    moments = sorted(starts | ends)
    return tuple(moments), tuple(_period(versions, own, moment) for moment in (moments[0] - 1, *moments))


def _period(versions: Sequence[FactorSet], own: Sequence[FactorSet], at_unix_nano: int) -> Period:
    begun = [version for version in versions if valid_from_unix_nano(version) <= at_unix_nano]
    factor_set = begun[-1] if begun else versions[0]
    valid = [each for each in own if _holds(each, at_unix_nano)]
    # Of several versions of one set the newest goes; the selected set goes before the others.
    newest = {_family(each): each for each in sorted(valid, key=lambda each: each.valid_from)}
    first = [each for each in valid if each.id == factor_set.id]
    chosen = {_family(each) for each in first}
    rest = [each for each in valid if newest[_family(each)] is each and _family(each) not in chosen]
    return Period(factor_set, (*first, *rest), () if begun else (validity_note(factor_set),))


def _holds(factor_set: FactorSet, at_unix_nano: int) -> bool:
    ended = factor_set.valid_to is not None and _unix_nano(factor_set.valid_to) <= at_unix_nano
    return valid_from_unix_nano(factor_set) <= at_unix_nano and not ended


def _family(factor_set: FactorSet) -> str:
    return _VERSION_ENDING.sub("", factor_set.id)


def valid_from_unix_nano(factor_set: FactorSet) -> int:
    """Return the moment from which a factor set holds, in ns since 1970 (UTC)."""
    return _unix_nano(factor_set.valid_from)


def _unix_nano(day: date) -> int:
    return int(datetime.combine(day, time(), tzinfo=UTC).timestamp()) * NANOSECONDS_PER_SECOND


def validity_note(factor_set: FactorSet) -> str:
    """Return what to say of a call from before the first version."""
    return (
        f"the call is older than every version of the factor set: {factor_set.id} is valid from "
        f"{factor_set.valid_from.isoformat()}"
    )


def check_usable(tables: FactorTables, factor_set: FactorSet) -> None:
    """Refuse a factor set whose fallback cannot answer.

    Raises:
        ConfigError: the set that it falls back to is not known, or has no classes per token.
    """
    if factor_set.fallback_id is None:
        return
    fallback = tables.factor_set(factor_set.fallback_id)
    if fallback.basis is not Basis.PER_TOKEN or not fallback.classes:
        raise ConfigError(
            f"factor_set: {factor_set.id!r} falls back to {fallback.id!r}, which has no classes per token to answer "
            "with; let it fall back to a set that has"
        )
