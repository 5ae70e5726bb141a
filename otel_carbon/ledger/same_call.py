"""Every call once: which of the spans that share a response id are one call, and which of them counts.

Two spans of a tenant with the same response id are one call when they overlap in time and are nested, or come from two
libraries: the rule of `pipeline.duplicates`, which sees one request, over everything that was ever recorded. The id
alone says nothing, because some servers give every answer the same one. Decisions only; no database here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from otel_carbon.ledger.counting import COUNTED, Candidate
from otel_carbon.ledger.profiles import adjusted_count_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import Status, input_tokens, output_tokens

__all__ = ["CLOCK_SLACK_NS", "MOST_COMPARED", "Incumbent", "choose"]

CLOCK_SLACK_NS = 100_000_000
"""How far apart in time two spans of one call may be when two services made them, so that two clocks were read.

Clocks of synchronised hosts differ by a few ms, so spans that lasted longer overlap anyway. It is allowed only within
one trace and only where both report the same token counts.
"""

MOST_COMPARED = 64
"""How many spans with its id may begin while another one runs; where there are more, the id tells nothing about it."""

_MOST_ANCESTORS = 64


@dataclass(frozen=True, slots=True)
class Incumbent:
    """An observation that shares a response id with a span of this batch, as the ledger has it."""

    trace_id: str
    span_id: str
    parent_span_id: str
    scope: str | None
    has_usage: bool
    started_unix_nano: int
    ended_unix_nano: int
    status: str
    tenant: str
    response_id: str
    observation_id: int
    line_seq: int | None
    occurred_at: str
    service: str | None
    input_tokens: int | None
    output_tokens: int | None


_Span = Candidate | Incumbent
_Parents = Mapping[tuple[str, str], str]
_Rank = tuple[bool, int, int, int, str, str]


def choose(newcomers: Iterable[Candidate], incumbents: Iterable[Incumbent]) -> list[Incumbent]:
    """Set the status of the newcomers that lose to `duplicate` and return the incumbents that a better span replaces.

    All share one tenant and one response id. The span with token counts counts; of several the innermost one. Spans
    that do not count take no part, but tell who is inside whom.
    """
    spans: list[_Span] = sorted([*incumbents, *newcomers], key=_started)
    parents = {(span.trace_id, span.span_id): span.parent_span_id for span in spans}
    related = _related(spans, parents)
    counted: set[int] = set()
    replaced: list[Incumbent] = []
    contenders = [index for index, span in enumerate(spans) if span.status in COUNTED]
    for index in sorted(contenders, key=lambda each: _rank(spans[each], parents), reverse=True):
        span = spans[index]
        if counted.isdisjoint(related[index]):
            counted.add(index)
        elif isinstance(span, Incumbent):
            replaced.append(span)
        else:
            span.status = Status.DUPLICATE.value
    return replaced


def _related(spans: Sequence[_Span], parents: _Parents) -> list[set[int]]:
    """Return for each of the spans, which are in the order of their beginning, those that are the same call."""
    related: list[set[int]] = [set() for _ in spans]
    for index, span in enumerate(spans):
        last_start = span.ended_unix_nano + CLOCK_SLACK_NS
        following = range(index + 1, min(index + 2 + MOST_COMPARED, len(spans)))
        began = list(takewhile(lambda at: spans[at].started_unix_nano <= last_start, following))  # noqa: B023 - used here
        if len(began) > MOST_COMPARED:
            continue
        for at in began:
            if _same_call(span, spans[at], parents):
                related[index].add(at)
                related[at].add(index)
    return related


def _same_call(earlier: _Span, later: _Span, parents: _Parents) -> bool:
    gap_ns = later.started_unix_nano - earlier.ended_unix_nano
    if gap_ns > 0 and not (gap_ns <= CLOCK_SLACK_NS and _seen_by_two_clocks(earlier, later)):
        return False
    return earlier.scope != later.scope or _is_inside(later, earlier, parents) or _is_inside(earlier, later, parents)


def _seen_by_two_clocks(one: _Span, other: _Span) -> bool:
    if one.trace_id != other.trace_id or not (one.has_usage and other.has_usage):
        return False
    return _service(one) != _service(other) and _tokens(one) == _tokens(other)


def _service(span: _Span) -> str | None:
    return span.service if isinstance(span, Incumbent) else clean(span.sighting.attribution.service)


def _tokens(span: _Span) -> tuple[int | None, int | None]:
    """Return input and output tokens as the line has them, all calls that the span stands for together."""
    if isinstance(span, Incumbent):
        return span.input_tokens, span.output_tokens
    usage = span.sighting.call.usage if span.sighting.call is not None else None
    if usage is None:
        return None, None
    count = adjusted_count_of(span.sighting)
    return round(input_tokens(usage) * count), round(output_tokens(usage) * count)


def _is_inside(inner: _Span, outer: _Span, parents: _Parents) -> bool:
    return inner.trace_id == outer.trace_id and outer.span_id in _ancestors(inner, parents)


def _rank(span: _Span, parents: _Parents) -> _Rank:
    """Return what decides between spans of one call: the greatest counts.

    It does not depend on arrival: an inner span has more ancestors; in another trace it begins later and ends sooner.
    """
    depth = len(_ancestors(span, parents))
    return (span.has_usage, depth, span.started_unix_nano, -span.ended_unix_nano, span.trace_id, span.span_id)


def _ancestors(span: _Span, parents: _Parents) -> list[str]:
    """Return the nearest ancestors: its parent, and on through the spans of the same response."""
    return list(dict.fromkeys(islice(_upwards(span, parents), _MOST_ANCESTORS)))


def _upwards(span: _Span, parents: _Parents) -> Iterable[str]:
    parent = span.parent_span_id
    while parent:
        yield parent
        parent = parents.get((span.trace_id, parent), "")


def _started(span: _Span) -> tuple[int, str, str]:
    return (span.started_unix_nano, span.trace_id, span.span_id)
