"""What flows through a pipeline: one OTLP export request, as the bytes that came in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from otel_carbon.model import Outcome, Sighting

__all__ = ["Enriched", "Payload", "Signal"]


class Signal(StrEnum):
    """The three signals of OTLP that are routed."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Enriched:
    """A GenAI-related span of a payload and, where this stage marked it, the outcome it was marked with."""

    sighting: Sighting
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Payload:
    """One `Export<Signal>ServiceRequest` in protobuf encoding.

    `items` counts spans, data points or log records, as the Collector does. `enriched` is None until the carbon
    processor has seen the payload. It is for connectors, and for exporters that keep up with the journal's tail; it is
    never stored, so whoever reads it must do without as well. `tenant` is who sent it, where the receiver knows that
    for certain; it is stored, and beats what the spans say.
    """

    signal: Signal
    body: bytes
    items: int
    enriched: tuple[Enriched, ...] | None = None
    tenant: str | None = None
