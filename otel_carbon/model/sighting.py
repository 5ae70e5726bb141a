"""One GenAI-related span as somebody saw it: the unit that the ledger records."""

from __future__ import annotations

from dataclasses import dataclass

from otel_carbon.model.call import Call
from otel_carbon.model.footprint import Mark

__all__ = ["Attribution", "Sighting", "SpanIdentity"]


@dataclass(frozen=True, slots=True)
class SpanIdentity:
    """Which span: ids as lower-case hex, as OTLP/JSON writes them. `parent_span_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who a call is accounted to. Nothing here leads to a person unless that was configured: `user`, `conversation`."""

    service: str | None = None
    environment: str | None = None
    tenant: str | None = None
    project: str | None = None
    workload: str | None = None
    user: str | None = None
    agent: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A GenAI-related span. `call` is None for a parent (agent, chain, tool …), which is seen but not counted."""

    span: SpanIdentity
    started_unix_nano: int
    ended_unix_nano: int
    attribution: Attribution
    call: Call | None
    mark: Mark | None = None
    """What an earlier stage claimed; None when this stage is the first."""
    adjusted_count: float = 1.0
    """How many calls this one claims to stand for, as head sampling dropped the others; see `believed_count`."""
    scope: str | None = None
    """Name of the instrumentation scope that emitted it."""
