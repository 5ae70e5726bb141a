"""What repeats from line to line, prepared once: the constant columns, and the encoding with holes for the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otel_carbon.ledger.clock import utc_text_of_nanoseconds
from otel_carbon.ledger.columns import GUESS
from otel_carbon.ledger.template import INDEX, encode_with, template_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import (
    GUESSED_USAGE,
    Attribution,
    Call,
    Confidence,
    Footprint,
    NotEstimated,
    Outcome,
    Sighting,
    Status,
    believed_count,
)

__all__ = ["INDEX", "Account", "Profile", "Why", "adjusted_count_of", "new_profile", "profile_key", "who_of", "why_of"]

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
_USER = INDEX["user"] - INDEX["service"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The columns that all calls of one sort share, in three runs of the table's order."""

    who: tuple[str | float | None, ...]
    """`service` to `calls`, without `user` and `conversation`: a profile for each would be as long as the book."""
    where: tuple[str | float | None, ...]
    """`region` to `status`."""
    tail: tuple[str | float | None, ...]
    """`adjusted_count` to `reason`."""
    adjusted_count: float
    template: str
    """See `template_of`."""

    def encode(self, row: Sequence[Any]) -> bytes | None:
        """Return the canonical encoding of a row of this profile, or None where only the plain way will do."""
        return encode_with(self.template, row)


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
        who.agent,
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
    where = (
        *_where(place, estimated=why[0] == _ESTIMATED, guessed=GUESSED_USAGE in why),
        *account,
        _UNVERIFIED,
        clean(source),
        why[0],
    )
    tail = (_claimed_count(sighting), None, clean("; ".join(why[1:])) or None)
    return Profile(who, where, tail, count, template_of(who, where, tail))


def who_of(profile: Profile, who: Attribution) -> tuple[str | float | None, ...]:
    """Return `service` to `calls` of one call."""
    if who.user is None is who.conversation:
        return profile.who
    before, agent, after = profile.who[:_USER], profile.who[_USER + 1], profile.who[_USER + 3 :]
    return (*before, clean(who.user), agent, clean(who.conversation), *after)


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
    names = (*parties, None, who.agent, None)
    models = (call.provider, call.request_model, call.model, normalised, call.operation)
    return tuple(clean(name) for name in (*names, *models))


def _where(place: Footprint | None, *, estimated: bool, guessed: bool) -> tuple[str | float | None, ...]:
    if place is None:
        return (None,) * 12
    region, grid, factor = place.region, place.grid, place.factor
    # Factor and confidence say how a number came about; a line without a number has neither.
    tier = GUESS if guessed else _DATA_TIERS[place.confidence]
    made = (factor.set, factor.id, factor.match, place.confidence.value, tier)
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
