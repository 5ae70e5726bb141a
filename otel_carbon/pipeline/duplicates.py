"""Two instrumentation libraries, one call: which of the spans in a request counts.

A framework and the client below it, or a provider's SDK and the library that instruments it, each emit a span for the
same call. They agree on the id of the response, which the provider gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_carbon.model import Sighting, Status

__all__ = ["duplicates"]

_Parents = Mapping[tuple[str, str], str]
_Rank = tuple[bool, bool, int, int, int, str, str]
_MOST_SPANS = 64
_MOST_ANCESTORS = 64


def duplicates(sightings: Sequence[Sighting]) -> frozenset[int]:
    """Return the positions of calls that another call of the same request already stands for.

    Two spans are one call when tenant and response id are the same, they overlap in time, and they are nested or come
    from two libraries. Time and library matter because some servers give every answer the same id. The span that an
    earlier stage has estimated counts, since it cannot be recalled; else the innermost one that carries tokens. The
    order of the spans does not matter. Calls without a response id are never taken for one another, nor are those
    whose id more than 64 spans share: such an id tells nothing.

    What an earlier stage has marked is never in the result, nor are calls that failed without usage.
    """
    groups: dict[tuple[str | None, str], list[int]] = {}
    for index, sighting in enumerate(sightings):
        call = sighting.call
        if call is not None and call.response_id is not None and _competes(sighting):
            groups.setdefault((sighting.attribution.tenant, call.response_id), []).append(index)
    repeated = [group for group in groups.values() if 1 < len(group) <= _MOST_SPANS]
    if not repeated:
        return frozenset()
    parents = {(each.span.trace_id, each.span.span_id): each.span.parent_span_id for each in sightings}
    return frozenset(loser for group in repeated for loser in _losers(sightings, group, parents))


def _competes(sighting: Sighting) -> bool:
    call, mark = sighting.call, sighting.mark
    if call is None or (call.failed and call.usage is None):
        return False
    return mark is None or mark.status is not Status.DUPLICATE


def _losers(sightings: Sequence[Sighting], group: Sequence[int], parents: _Parents) -> list[int]:
    losers: list[int] = []
    counted: list[Sighting] = []
    for index in sorted(group, key=lambda each: _rank(sightings[each], parents), reverse=True):
        sighting = sightings[index]
        if sighting.mark is None and any(_same_call(sighting, each, parents) for each in counted):
            losers.append(index)
        else:
            counted.append(sighting)
    return losers


def _same_call(one: Sighting, other: Sighting, parents: _Parents) -> bool:
    if one.started_unix_nano > other.ended_unix_nano or other.started_unix_nano > one.ended_unix_nano:
        return False
    return one.scope != other.scope or _is_inside(one, other, parents) or _is_inside(other, one, parents)


def _is_inside(inner: Sighting, outer: Sighting, parents: _Parents) -> bool:
    same_trace = inner.span.trace_id == outer.span.trace_id
    return same_trace and outer.span.span_id in _ancestors(inner, parents)


def _rank(sighting: Sighting, parents: _Parents) -> _Rank:
    """Return what decides between spans of one call: the greatest counts.

    An inner span has more ancestors, and in another trace it begins later and ends earlier.
    """
    call, span = sighting.call, sighting.span
    return (
        sighting.mark is not None and sighting.mark.status is Status.ESTIMATED,
        call is not None and call.usage is not None,
        len(_ancestors(sighting, parents)),
        sighting.started_unix_nano,
        -sighting.ended_unix_nano,
        span.trace_id,
        span.span_id,
    )


def _ancestors(sighting: Sighting, parents: _Parents) -> list[str]:
    """Return the nearest ancestors of a span as far as its parents were seen."""
    trace_id, span_id = sighting.span.trace_id, sighting.span.span_id
    found: list[str] = []
    while len(found) < _MOST_ANCESTORS:
        parent = parents.get((trace_id, span_id), "")
        if not parent or parent in found:
            break
        found.append(parent)
        span_id = parent
    return found
