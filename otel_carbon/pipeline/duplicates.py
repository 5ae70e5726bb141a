"""Two instrumentation libraries, one call: which of the spans in a request counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from otel_carbon.model import Sighting, Status
from otel_carbon.spans.groups import CallGroups, best_of, one_library_side_by_side
from otel_carbon.spans.one_call import call_span

__all__ = ["duplicates"]


def duplicates(sightings: Sequence[Sighting]) -> frozenset[int]:
    """Return the positions of calls that another call of the same request already stands for.

    `spans.one_call` says when two spans of a tenant are one call, `spans.groups` which of them counts. The span that an
    earlier stage has estimated always counts, since it cannot be recalled. The order of the spans does not matter.

    What an earlier stage has marked is never in the result.
    """
    calls = [index for index, sighting in enumerate(sightings) if _competes(sighting)]
    if len(calls) < 2 or one_library_side_by_side([sightings[index] for index in calls]):
        return frozenset()
    parents = {(each.span.trace_id, each.span.span_id): each.span.parent_span_id for each in sightings}
    tenants: dict[str | None, list[int]] = defaultdict(list)
    for index in calls:
        tenants[sightings[index].attribution.tenant].append(index)
    return frozenset(
        loser for members in tenants.values() for loser in _losers(sightings, members, CallGroups(parents))
    )


def _competes(sighting: Sighting) -> bool:
    mark = sighting.mark
    return sighting.call is not None and (mark is None or mark.status is not Status.DUPLICATE)


def _losers(sightings: Sequence[Sighting], members: Sequence[int], groups: CallGroups) -> Iterator[int]:
    spans = [(found, index) for index in members if (found := call_span(sightings[index])) is not None]
    spans.sort(key=lambda each: (each[0].started_unix_nano, each[0].trace_id, each[0].span_id))
    for span, _ in spans:
        groups.add(span)
    settled = {at for at, (_, index) in enumerate(spans) if _is_estimated(sightings[index])}
    for at, (_, index) in enumerate(spans):
        group = groups.group(at)
        if len(group) > 1 and sightings[index].mark is None:
            counted = [each for each in group if each in settled]
            if counted or best_of(groups, group) != at:
                yield index


def _is_estimated(sighting: Sighting) -> bool:
    return sighting.mark is not None and sighting.mark.status is Status.ESTIMATED
