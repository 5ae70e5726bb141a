"""Puts `KeepGenAI` around the sampler of a provider that is there already, and does so first under zero code."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry import trace

from otel_carbon.processors.sampler import KeepGenAI
from otel_carbon.processors.switches import KEEP_GENAI, is_enabled, switch

__all__ = ["before_instrumentation", "keeps_genai", "wrap_sampler"]

_log = logging.getLogger(__name__)

_DISABLED_INSTRUMENTATIONS = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_OFF = frozenset({"carbon", "*"})


def before_instrumentation() -> None:
    """Wrap the sampler of the global provider before any instrumentation takes a tracer, which would keep the old one.

    The entry point that `opentelemetry-instrument` calls first. It is off by the same variables as the instrumentor,
    and by `OTEL_CARBON_KEEP_GENAI=false`. Nothing is raised: it would end all auto-instrumentation.
    """
    try:
        if _is_wanted(os.environ):
            wrap_sampler(trace.get_tracer_provider())
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("calls that are sampled out will not be counted: %s", error)


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


def _is_wanted(environ: Mapping[str, str]) -> bool:
    from otel_carbon.processors.instrumentor import CarbonInstrumentor  # noqa: PLC0415 - it may not be importable

    disabled = {name.strip() for name in environ.get(_DISABLED_INSTRUMENTATIONS, "").split(",")}
    # Declarative configuration may have run the instrumentor already, with a decision of its own.
    decided = CarbonInstrumentor().is_instrumented_by_opentelemetry
    return not decided and disabled.isdisjoint(_OFF) and is_enabled(environ) and switch(environ, KEEP_GENAI)


def _holders(provider: Any) -> Iterator[Any]:
    """Yield what has the sampler: the SDK's provider, which may stand behind a vendor's proxy."""
    for holder in (provider, getattr(provider, "provider", None)):
        if hasattr(getattr(holder, "sampler", None), "should_sample"):
            yield holder


def _tracers_of(holder: Any) -> list[Any]:
    """Return the tracers that a provider has handed out, where its SDK remembers them."""
    tracers = getattr(holder, "_tracers", None)
    return [tracer for tracer in tracers.values() if hasattr(tracer, "sampler")] if isinstance(tracers, dict) else []
