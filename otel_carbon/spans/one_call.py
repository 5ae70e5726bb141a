"""Several spans, one call: what tells that two spans were made by two observers of the same request to a model.

A framework and the client below it, a provider's SDK and the library that instruments it, a client and the proxy that
it talks to: each emits a span of its own. They are nested, side by side, or in two traces; sometimes they agree on the
id of the response, and often they do not have one. One library never emits two spans for one call unless one lies in
the other, so side by side only spans of different scopes are taken for one call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from otel_carbon.model import Call, Sighting, Usage, input_tokens, output_tokens

__all__ = [
    "CLOCK_SLACK_NS",
    "CallSpan",
    "Counts",
    "Kinship",
    "agree",
    "beginning_of",
    "call_counts",
    "call_span",
    "counts_of",
    "kinship",
    "model_stem",
    "observer_of",
    "two_responses",
]

CLOCK_SLACK_NS = 100_000_000
"""How far apart in time two spans of one call may be when two services made them, so that two clocks were read.

Clocks of synchronised hosts differ by a few ms, so spans that lasted longer overlap anyway. It is allowed only within
one trace and only where both report the same token counts.
"""

_STREAM = " (stream)"
_FEW_TOKENS = 16  # some add the count of a stream's first message to that of its last
_REMEMBERED = 4096


class Kinship(IntEnum):
    """Why two spans are taken for one call; the greatest is the surest."""

    NONE = 0
    LOOKS_ALIKE = 1
    """In two traces of one service, one inside the time of the other, with the same model and counts."""
    SAME_TRACE = 2
    """In one trace at the same time, with the same model and counts."""
    NESTED = 3
    """One is the parent of the other."""
    SAME_RESPONSE = 4
    """Both name the same response."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Token counts of a call as far as another observer has to agree on them."""

    input_tokens: int
    uncached_input_tokens: int
    output_tokens: int
    visible_output_tokens: int
    kinds: int
    """How many kinds of cached and reasoning tokens are known: of two observers, the one that knows more counts."""


@dataclass(frozen=True, slots=True)
class CallSpan:
    """What is compared of a span that stands for a call."""

    trace_id: str
    span_id: str
    parent_span_id: str
    scope: str | None
    service: str | None
    started_unix_nano: int
    ended_unix_nano: int
    response_id: str | None
    models: frozenset[str]
    """Stems of the models that it names."""
    counts: Counts | None
    """What the provider counted; None where nobody says, and where the emitter guessed."""
    failed: bool
    """Whether it failed without usage: an attempt, and no call that anything was served for."""
    guessed: bool = False
    """Whether the emitter guessed the counts, which is better than none."""


def call_span(sighting: Sighting, adjusted_count: float | None = None) -> CallSpan | None:
    """Return what is compared of a sighting; None where it is no call.

    `adjusted_count` is how many calls it stands for, where that is not what the sighting says.
    """
    call, span = sighting.call, sighting.span
    if call is None:
        return None
    count = sighting.adjusted_count if adjusted_count is None else adjusted_count
    return CallSpan(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        observer_of(sighting.scope, call),
        sighting.attribution.service,
        beginning_of(sighting.started_unix_nano, call),
        sighting.ended_unix_nano,
        call.response_id,
        frozenset(model_stem(name) for name in (call.model, call.request_model) if name),
        call_counts(call, call.usage, count),
        call.failed and call.usage is None and call.items is None,
        call.guessed and call.usage is not None,
    )


def observer_of(scope: str | None, call: Call) -> str | None:
    """Return what has one span of a call: a library, or the part of one that reports what a stream came to."""
    return f"{scope}{_STREAM}" if call.continues else scope


def beginning_of(started_unix_nano: int, call: Call) -> int:
    """Return when the call of a span began; its request ended before, where the span is only of its stream."""
    if not call.continues:
        return started_unix_nano
    return max((call.at_unix_nano or started_unix_nano) - CLOCK_SLACK_NS, 0)


def call_counts(call: Call, usage: Usage | None, adjusted_count: float = 1.0) -> Counts | None:
    """Return the counts of a span of such a call with this usage, as far as the provider's are known."""
    if usage is not None:
        return None if call.guessed else counts_of(usage, adjusted_count)
    return None if call.items is None else Counts(0, 0, 0, 0, 0)


def counts_of(usage: Usage, adjusted_count: float = 1.0) -> Counts:
    """Return the counts of all calls that a span stands for."""
    given, made = input_tokens(usage), output_tokens(usage)
    uncached, visible = usage.uncached_input_tokens, usage.visible_output_tokens
    kinds = (usage.cache_read_tokens > 0) + (usage.cache_write_tokens > 0) + (usage.reasoning_tokens > 0)
    if adjusted_count == 1.0:
        return Counts(given, uncached, made, visible, kinds)
    given, uncached, made, visible = (round(each * adjusted_count) for each in (given, uncached, made, visible))
    return Counts(given, uncached, made, visible, kinds)


def kinship(one: CallSpan, other: CallSpan, *, nested: bool) -> Kinship:
    """Return whether, and by what, two spans of one tenant are one call. `nested`: one lies in the other.

    An attempt that failed is never the call that succeeded. Spans of one scope side by side are two calls, and so are
    spans that follow each other and spans that name two responses.
    """
    if one.failed is not other.failed or (one.scope == other.scope and not nested) or not _at_one_time(one, other):
        return Kinship.NONE
    if not nested and _stream_of_another(one, other):
        return Kinship.NONE
    counted = one.counts is not None and other.counts is not None
    told_apart = one.counts is not None and other.counts is not None and not agree(one.counts, other.counts)
    same_model = not one.models.isdisjoint(other.models) or not (one.models and other.models)
    kin = Kinship.NONE
    if one.response_id is not None and one.response_id == other.response_id:
        kin = Kinship.SAME_RESPONSE if same_model or not told_apart else kin
    elif two_responses(one.response_id, other.response_id):
        pass
    elif nested:
        # Counts may differ: an outer span can have the last or the sum of its calls, or a guess of its own.
        kin = Kinship.NESTED if same_model or (counted and not told_apart) else kin
    elif told_apart:
        pass
    elif one.trace_id == other.trace_id:
        # A proxy may know the model by another name than its client.
        kin = Kinship.SAME_TRACE if same_model or (counted and one.service != other.service) else kin
    elif same_model and _alike_in_two_traces(one, other):
        kin = Kinship.LOOKS_ALIKE
    return kin


def _stream_of_another(one: CallSpan, other: CallSpan) -> bool:
    """Return whether a library reports what a stream used, and the other span of it is no request of a stream.

    The span of the request whose stream it was has no counts: they are what the other one is written for.
    """
    if f"{other.scope}{_STREAM}" == one.scope:
        return other.counts is not None
    return f"{one.scope}{_STREAM}" == other.scope and one.counts is not None


@lru_cache(_REMEMBERED)
def model_stem(name: str) -> str:
    """Return what the names of one model by several observers have in common: no prefix, date or version of the API."""
    stem = name.lower().rpartition("/")[2]
    stem = _VENDOR.sub("", stem)
    return _SUFFIX.sub("", stem) or stem


# `eu.anthropic.claude-…` of Bedrock, but not the dot of `gpt-4.1`.
_VENDOR = re.compile(r"^(?:[a-z][a-z0-9-]*\.)+(?=[a-z])")
# Dates, `-latest`, `-v1:0`, `@20250929`, `:free`.
_SUFFIX = re.compile(r"(?:-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{4}|-latest)?(?:-v\d+)?(?:[:@].*)?$")


def _at_one_time(one: CallSpan, other: CallSpan) -> bool:
    gap_ns = max(one.started_unix_nano, other.started_unix_nano) - min(one.ended_unix_nano, other.ended_unix_nano)
    if gap_ns <= 0:
        return True
    if gap_ns > CLOCK_SLACK_NS or one.trace_id != other.trace_id or one.service == other.service:
        return False
    return one.counts is not None and other.counts is not None and agree(one.counts, other.counts)


def _alike_in_two_traces(one: CallSpan, other: CallSpan) -> bool:
    """Return whether two spans of one service, of which one begins a trace, are one inside the time of the other."""
    if one.service != other.service or (one.parent_span_id and other.parent_span_id):
        return False
    inner, outer = sorted((one, other), key=lambda span: span.ended_unix_nano - span.started_unix_nano)
    late_ns = max(outer.started_unix_nano - inner.started_unix_nano, inner.ended_unix_nano - outer.ended_unix_nano)
    return late_ns <= CLOCK_SLACK_NS


def agree(one: Counts, other: Counts) -> bool:
    """Return whether two observers can have seen one answer: some leave the cached or the reasoning tokens out."""
    same_input = one.input_tokens == other.input_tokens or (
        one.input_tokens == other.uncached_input_tokens or other.input_tokens == one.uncached_input_tokens
    )
    if not same_input:
        return False
    if one.output_tokens == other.visible_output_tokens or other.output_tokens == one.visible_output_tokens:
        return True
    return abs(one.output_tokens - other.output_tokens) <= _FEW_TOKENS and one.input_tokens > 0


def two_responses(one: str | None, other: str | None) -> bool:
    """Return whether two ids are of two responses, and not one of them made up by a framework."""
    if one is None or other is None:
        return False
    return one != other and _kind_of_id(one) == _kind_of_id(other)


def _kind_of_id(response_id: str) -> str:
    found = _ID_PREFIX.match(response_id)
    return found.group() if found else ""


_ID_PREFIX = re.compile(r"[A-Za-z]+(?=[-_])")
