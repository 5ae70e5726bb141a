"""A span as the ledger meets it: what identifies it, and what decides whether it counts. No database here.

A span is its tenant, trace id and span id, and is recorded once.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from otel_carbon.ledger.profiles import adjusted_count_of
from otel_carbon.ledger.text import clean
from otel_carbon.model import Call, Footprint, Outcome, Sighting, Status, input_tokens
from otel_carbon.spans.one_call import beginning_of, observer_of

__all__ = [
    "COUNTED",
    "LATEST_UNIX_NANO",
    "PARENT",
    "Candidate",
    "SpanKey",
    "candidate",
    "describe",
    "span_key",
]

COUNTED = (Status.ESTIMATED.value, Status.NO_USAGE.value, Status.UNKNOWN_MODEL.value)
"""Statuses of an observation that has a standing line."""

PARENT = "parent"
"""Status of a span that is seen and never counted: an agent, a chain, a tool."""

SpanKey = tuple[str, str, str]
"""Tenant ('' for none), trace id, span id."""

LATEST_UNIX_NANO = 2**63 - 1
"""In the year 2262, and what a database integer holds."""


@dataclass(slots=True)
class Candidate:
    """A span that the ledger sees for the first time, on its way to a status."""

    sighting: Sighting
    tenant: str
    trace_id: str
    span_id: str
    parent_span_id: str
    response_id: str | None
    scope: str | None
    service: str | None
    input_tokens: int | None
    """Those of all calls that it stands for; None where the provider's count is not known."""
    has_usage: bool
    started_unix_nano: int
    ended_unix_nano: int
    fingerprint: int
    occurred_at: str
    status: str
    outcome: Outcome | None = None
    place: Footprint | None = None
    """The footprint, or one that only tells model and place."""
    line_seq: int | None = None
    call_group: int | None = None
    """What all spans of one call share, where several were seen."""
    notes: tuple[str, ...] | None = None
    """Where this process has put a footprint on the span since it was sighted: the notes that its mark gives."""


def span_key(sighting: Sighting) -> SpanKey:
    """Return what identifies a span. One without valid ids is identified by its content."""
    span = sighting.span
    trace_id, span_id = span.trace_id, span.span_id
    tenant = clean(sighting.attribution.tenant) or ""
    if trace_id.isalnum() and span_id.isalnum() and trace_id.isascii() and span_id.isascii():
        return tenant, trace_id, span_id
    content = describe(sighting).encode("utf-8", "replace")
    return tenant, "0" * 32, f"{zlib.crc32(content):08x}{zlib.adler32(content):08x}"


def describe(sighting: Sighting) -> str:
    """Return the content of a span that must not change, in one line that a person can read.

    Claims of an earlier stage are no part of it: the same span may arrive with and without them.
    """
    times = f"{sighting.started_unix_nano}-{sighting.ended_unix_nano}"
    call = sighting.call
    if call is None:
        return f"{times} {PARENT}"
    tokens = "no usage"
    if (usage := call.usage) is not None:
        cached = f"{usage.cache_read_tokens} read + {usage.cache_write_tokens} written"
        output = f"{usage.visible_output_tokens} + {usage.reasoning_tokens} reasoning"
        tokens = f"{usage.uncached_input_tokens} + {cached} in, {output} out"
    if call.items is not None:
        tokens += f", {call.items.count:g} {call.items.kind}"
    name = f"{call.operation} {call.provider} {call.model} ({call.request_model}) {call.response_id}"
    return f"{times} {name}: {tokens}{', failed' if call.failed else ''}"


def candidate(sighting: Sighting, key: SpanKey, fingerprint: int, occurred_at: str) -> Candidate:
    """Return a span as it enters the decision."""
    call = sighting.call
    tenant, trace_id, span_id = key
    started = sighting.started_unix_nano
    return Candidate(
        sighting,
        tenant,
        trace_id,
        span_id,
        clean(sighting.span.parent_span_id) or "",
        clean(call.response_id) or None if call is not None else None,
        clean(sighting.scope if call is None else observer_of(sighting.scope, call)),
        clean(sighting.attribution.service),
        None if call is None else _input_tokens(call, sighting),
        call is not None and _has_usage(call),
        _storable(started if call is None else beginning_of(started, call)),
        _storable(sighting.ended_unix_nano),
        fingerprint,
        occurred_at,
        PARENT,
    )


def _input_tokens(call: Call, sighting: Sighting) -> int | None:
    if call.usage is None:
        return None if call.items is None else 0
    if call.guessed:
        return None
    count = adjusted_count_of(sighting)
    given = input_tokens(call.usage)
    return given if count == 1.0 else round(given * count)


def _has_usage(call: Call) -> bool:
    usage = call.usage
    return call.items is not None or (
        usage is not None
        and bool(
            usage.uncached_input_tokens
            or usage.visible_output_tokens
            or usage.cache_read_tokens
            or usage.cache_write_tokens
            or usage.reasoning_tokens
        )
    )


def _storable(unix_nano: int) -> int:
    return unix_nano if 0 <= unix_nano <= LATEST_UNIX_NANO else min(max(unix_nano, 0), LATEST_UNIX_NANO)
