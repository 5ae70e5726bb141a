"""Every call once: which of the spans that were ever recorded are one call, and which of them counts.

`spans.one_call` and `spans.groups` have the rule; here it is applied to new spans and to those that the ledger has.
Once two spans are one call they stay so. Decisions only; no database here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from otel_carbon.ledger.counting import COUNTED, Candidate
from otel_carbon.ledger.profiles import adjusted_count_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import Status
from otel_carbon.spans.groups import CallGroups, best_of
from otel_carbon.spans.one_call import CallSpan, call_span

__all__ = ["Choice", "Incumbent", "choose", "compared"]

_STANDING = frozenset((*COUNTED, Status.FAILED.value))
_Parents = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Incumbent:
    """An observation that may be the same call as a span of this batch, as the ledger has it."""

    observation_id: int
    tenant: str
    status: str
    line_seq: int | None
    occurred_at: str
    call_group: int | None
    """What all spans of one call share; None for a call that one span was seen of."""
    span: CallSpan


@dataclass(slots=True)
class Choice:
    """What changes for spans that the ledger has. The newcomers carry their own outcome."""

    replaced: list[tuple[Incumbent, CallSpan]] = field(default_factory=list[tuple[Incumbent, CallSpan]])
    """Those that counted, and the span that counts for the call from now on."""
    grouped: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Group and observation, of those that were alone or in another group."""


def compared(newcomer: Candidate) -> CallSpan | None:
    """Return what is compared of a new span, in the form in which it will be stored; None where it is no call."""
    span = call_span(newcomer.sighting, adjusted_count_of(newcomer.sighting))
    if span is None:
        return None
    return replace(
        span,
        trace_id=newcomer.trace_id,
        span_id=newcomer.span_id,
        parent_span_id=newcomer.parent_span_id,
        scope=newcomer.scope,
        service=clean(span.service),
        response_id=newcomer.response_id,
    )


def choose(newcomers: Iterable[Candidate], incumbents: Iterable[Incumbent], parents: _Parents) -> Choice:
    """Set group and status of the newcomers, and return what changes for the incumbents."""
    choice = Choice()
    tenants: dict[str, tuple[list[Candidate], list[Incumbent]]] = defaultdict(lambda: ([], []))
    for newcomer in newcomers:
        tenants[newcomer.tenant][0].append(newcomer)
    for incumbent in incumbents:
        tenants[incumbent.tenant][1].append(incumbent)
    for new, old in tenants.values():
        _choose(new, old, parents, choice)
    return choice


def _choose(newcomers: Sequence[Candidate], incumbents: Sequence[Incumbent], parents: _Parents, choice: Choice) -> None:
    groups, members = CallGroups(parents), list[Candidate | Incumbent]()
    first_of: dict[int | None, int] = {}
    for incumbent in sorted(incumbents, key=lambda each: _order(each.span)):
        position = groups.add_known(
            incumbent.span, first_of.get(incumbent.call_group), stands=incumbent.status in _STANDING
        )
        if incumbent.call_group is not None:
            first_of.setdefault(incumbent.call_group, position)
        members.append(incumbent)
    fresh = [(span, each) for each in newcomers if (span := compared(each)) is not None]
    fresh.sort(key=lambda each: _order(each[0]))
    for span, newcomer in fresh:
        groups.add(span)
        members.append(newcomer)
    calls = {id(group): group for at in range(len(incumbents), len(members)) if len(group := groups.group(at)) > 1}
    for group in calls.values():
        _settle(groups, group, members, choice)


def _settle(groups: CallGroups, group: Sequence[int], members: Sequence[Candidate | Incumbent], choice: Choice) -> None:
    contenders = [at for at in group if isinstance(members[at], Candidate) or members[at].status in _STANDING]
    best = best_of(groups, contenders)
    known = [number for at in group if at not in groups.moved and (number := members[at].call_group) is not None]
    number = min(known) if known else _new_number(groups.spans[group[-1]])
    for at in group:
        member = members[at]
        if isinstance(member, Candidate):
            member.call_group = number
            if at != best:
                member.status = Status.DUPLICATE.value
            continue
        if member.call_group != number:
            choice.grouped.append((number, member.observation_id))
        if at != best and member.status in _STANDING:
            choice.replaced.append((member, groups.spans[best]))


def _new_number(span: CallSpan) -> int:
    return int.from_bytes(blake2b(f"{span.trace_id}{span.span_id}".encode("utf-8", "replace"), digest_size=7).digest())


def _order(span: CallSpan) -> tuple[int, str, str]:
    return (span.started_unix_nano, span.trace_id, span.span_id)
