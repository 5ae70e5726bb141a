"""Spans sorted into calls: each group is one call, whatever the number of libraries that watched it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from otel_carbon.model import Sighting
from otel_carbon.spans.one_call import CallSpan, Kinship, agree, kinship, observer_of, two_responses

__all__ = ["MOST_COMPARED", "CallGroups", "best_of", "one_library_side_by_side"]

MOST_COMPARED = 64
"""With how many others a span is compared. Where more may be the same call, those that began nearest to it are."""

_MOST_ANCESTORS = 64
_MOST_DISPLACED = 8

Rank = tuple[bool, bool, int, int, int, str, str]


class CallGroups:
    """Groups of spans of one tenant, built up span by span. A group never has two calls of one library in it.

    Members are positions in `spans`. The order in which spans are added matters only where several of them could be
    the call of several others: then each goes to the one that began nearest to it, and the number of calls is right
    whichever it is.
    """

    def __init__(self, parents: Mapping[tuple[str, str], str]) -> None:
        self.spans: list[CallSpan] = []
        self._parents = parents
        self._group_of: list[list[int]] = []
        self._near: dict[Hashable, list[int]] = defaultdict(list)
        self._standing: set[int] = set()
        self._settled: set[int] = set()
        self.moved: set[int] = set()
        """Those that were in another group before."""

    def add(self, span: CallSpan) -> int:
        """Add a span to the call that it is of, if one of those before it is, and return its position."""
        index = self._place(span, [])
        self._find_call(index, _MOST_DISPLACED)
        return index

    def add_known(self, span: CallSpan, member: int | None, *, stands: bool) -> int:
        """Add a span that is known to be of the call of `member`, or of none of those before it.

        One that stands as the call of others stays with them; another may turn out to be of another call.
        """
        index = self._place(span, [] if member is None else self._group_of[member])
        (self._standing if stands else self._settled).add(index)
        return index

    def group(self, index: int) -> Sequence[int]:
        """Return the positions of all spans of the call, in the order in which they were added."""
        return self._group_of[index]

    def rank(self, index: int) -> Rank:
        """Return what decides between spans of one call: the greatest counts.

        It does not depend on arrival: an inner span has more ancestors; in another trace it begins later and ends
        sooner.
        """
        span = self.spans[index]
        depth = len(self._ancestors(span))
        return (
            span.counts is not None,
            span.guessed,
            depth,
            span.started_unix_nano,
            -span.ended_unix_nano,
            span.trace_id,
            span.span_id,
        )

    def surely_one(self, one: int, other: int) -> bool:
        """Return whether no span that is still to come can show that two spans of a group are of two calls."""
        left, right = self.spans[one], self.spans[other]
        beside = left.trace_id != right.trace_id or left.parent_span_id == right.parent_span_id
        return beside or self._kinship(one, other) >= Kinship.NESTED

    def _place(self, span: CallSpan, group: list[int]) -> int:
        index = len(self.spans)
        self.spans.append(span)
        group.append(index)
        self._group_of.append(group)
        for key in _keys(span):
            self._near[key].append(index)
        return index

    def _find_call(self, index: int, displacements: int) -> None:
        """Put a span with those that it is one call with, the surest and nearest first.

        Where its place is taken by one that is less near, that one looks for another, so that in the end nobody could
        be better placed with somebody who would be, too: the outcome does not depend on who came first.
        """
        span = self.spans[index]
        rivals = dict.fromkeys(rival for key in _wanted(span) for rival in self._near[key][-MOST_COMPARED:])
        nearness = [(self._nearness(index, rival), rival) for rival in rivals if rival != index]
        for (against, *_), rival in sorted(each for each in nearness if each[0][0]):
            sure = -against >= Kinship.NESTED
            if self._group_of[index] is self._group_of[rival]:
                continue
            if len(self._group_of[index]) > 1 and not sure:
                return  # it has found its call; what merely looks alike is no link between two groups
            if not self._join(index, rival) and displacements:
                for displaced in self._displace(index, rival):
                    self._find_call(displaced, displacements - 1)

    def _join(self, index: int, rival: int) -> bool:
        own, other = self._group_of[index], self._group_of[rival]
        if not all(self._fit(mine, theirs) for mine in own for theirs in other):
            return False
        other.extend(own)
        for member in own:
            self._group_of[member] = other
        return True

    def _displace(self, index: int, rival: int) -> Sequence[int]:
        """Unite a span and one that is nearer to it than to those of its group that do not fit; return who has to go.

        Nothing is changed where a call would be left that no span stands for.
        """
        own, other = self._group_of[index], self._group_of[rival]
        misfits = [each for each in other if each != rival and not all(self._fit(mine, each) for mine in own)]
        nearness = self._nearness(index, rival)
        if not misfits or any(self._nearness(each, rival) <= nearness for each in misfits):
            return ()
        left = [each for each in other if each != rival]
        if all(self._fit(mine, rival) for mine in own) and not (
            rival in self._standing and self._settled.issuperset(left)
        ):
            self._move(rival, own)
            return left if len(left) == 1 else ()
        if self._standing.isdisjoint(misfits):
            for each in misfits:
                self._move(each, [])
            self._join(index, rival)
            return misfits
        return ()

    def _move(self, member: int, group: list[int]) -> None:
        self._group_of[member].remove(member)
        group.append(member)
        self._group_of[member] = group
        self.moved.add(member)

    def _fit(self, one: int, other: int) -> bool:
        """Return whether two spans may be in one group: nothing says that they are two calls."""
        left, right = self.spans[one], self.spans[other]
        if two_responses(left.response_id, right.response_id):
            return False
        # Of one library side by side, one with and one without counts are a call and its broken attempt.
        side_by_side = left.scope == right.scope and not self._nested(left, right)
        return not side_by_side or (left.counts is None) is not (right.counts is None)

    def _kinship(self, one: int, other: int) -> Kinship:
        left, right = self.spans[one], self.spans[other]
        return kinship(left, right, nested=self._directly_nested(left, right))

    def _directly_nested(self, one: CallSpan, other: CallSpan) -> bool:
        if one.trace_id != other.trace_id:
            return False
        if one.parent_span_id == other.span_id or other.parent_span_id == one.span_id:
            return True
        same_response = one.response_id is not None and one.response_id == other.response_id
        return same_response and self._nested(one, other)

    def _nested(self, one: CallSpan, other: CallSpan) -> bool:
        if one.trace_id != other.trace_id:
            return False
        return other.span_id in self._ancestors(one) or one.span_id in self._ancestors(other)

    def _ancestors(self, span: CallSpan) -> list[str]:
        """Return the nearest ancestors of a span as far as its parents are known."""
        parent, found = span.parent_span_id, list[str]()
        while parent and parent not in found and len(found) < _MOST_ANCESTORS:
            found.append(parent)
            parent = self._parents.get((span.trace_id, parent), "")
        return found

    def _nearness(self, one: int, other: int) -> tuple[int, int, int]:
        """Return how near two spans are, the least the nearest; the first number is 0 for those of two calls.

        By kinship, by how far they are from being one inside the other, and by how far their times are apart.
        """
        left, right = self.spans[one], self.spans[other]
        late_ns = left.started_unix_nano - right.started_unix_nano
        over_ns = left.ended_unix_nano - right.ended_unix_nano
        outside_ns = min(abs(late_ns), abs(over_ns)) if late_ns * over_ns > 0 else 0
        return -self._kinship(one, other), outside_ns, abs(late_ns) + abs(over_ns)


def best_of(groups: CallGroups, members: Iterable[int]) -> int:
    """Return which of the spans of a call counts.

    That is the innermost one with token counts; of those that agree with it, the one that knows most of the cached
    and reasoning tokens.
    """
    ranked = sorted(members, key=groups.rank, reverse=True)
    best = ranked[0]
    counts = groups.spans[best].counts
    if counts is None:
        return best
    knows = counts.kinds
    for member in ranked[1:]:
        also = groups.spans[member].counts
        if also is not None and also.kinds > knows and agree(counts, also) and groups.surely_one(member, ranked[0]):
            best, knows = member, also.kinds
    return best


def one_library_side_by_side(sightings: Iterable[Sighting]) -> bool:
    """Return whether no two of these calls can be one, as in most requests: one instrumentation, nothing nested."""
    calls = [sighting for sighting in sightings if sighting.call is not None]
    span_ids = {sighting.span.span_id for sighting in calls}
    responses = [sighting.call.response_id for sighting in calls if sighting.call and sighting.call.response_id]
    return (
        len({observer_of(sighting.scope, sighting.call) for sighting in calls if sighting.call}) < 2
        and span_ids.isdisjoint(sighting.span.parent_span_id for sighting in calls)
        and len(responses) == len(set(responses))
    )


def _keys(span: CallSpan) -> Iterator[Hashable]:
    """Yield what a span is found by."""
    yield span.trace_id
    yield "response", span.response_id
    yield "service", span.service
    yield "service", span.service, None if span.counts is None else span.counts.input_tokens


def _wanted(span: CallSpan) -> Iterator[Hashable]:
    """Yield what finds every span that may be the same call."""
    yield span.trace_id
    if span.response_id is not None:
        yield "response", span.response_id
    if span.counts is None:
        yield "service", span.service
    else:
        yield "service", span.service, span.counts.input_tokens
        yield "service", span.service, None
