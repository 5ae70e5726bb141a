"""Puts `KeepGenAI` around the sampler of a provider that is there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_carbon.processors.sampler import KeepGenAI

__all__ = ["keeps_genai", "wrap_sampler"]


def wrap_sampler(provider: Any) -> None:
    """Make a provider record the GenAI spans that its sampler drops. A provider without a sampler is left alone."""
    for holder in _holders(provider):
        if not isinstance(holder.sampler, KeepGenAI):
            holder.sampler = KeepGenAI(holder.sampler)
        for tracer in _tracers_of(holder):
            tracer.sampler = holder.sampler


def keeps_genai(provider: Any) -> bool:
    """Return whether a provider's sampler shows every GenAI span to the processors."""
    return any(isinstance(holder.sampler, KeepGenAI) for holder in _holders(provider))


def _holders(provider: Any) -> Iterator[Any]:
    """Yield what has the sampler: the SDK's provider, which may stand behind a vendor's proxy."""
    for holder in (provider, getattr(provider, "provider", None)):
        if hasattr(getattr(holder, "sampler", None), "should_sample"):
            yield holder


def _tracers_of(holder: Any) -> list[Any]:
    """Return the tracers that a provider has handed out, where its SDK remembers them."""
    tracers = getattr(holder, "_tracers", None)
    return [tracer for tracer in tracers.values() if hasattr(tracer, "sampler")] if isinstance(tracers, dict) else []
