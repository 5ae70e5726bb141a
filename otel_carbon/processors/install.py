"""One line that adds the processor to the application's tracer provider."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor

from otel_carbon.estimator import (
    AccountingSettings,
    Estimator,
    EstimatorSettings,
    IntensitySource,
    Override,
    settings_from_environment,
)
from otel_carbon.factors import FactorTables
from otel_carbon.processors.enrichment import SightingWriter
from otel_carbon.processors.keeping import keeps_genai, wrap_sampler
from otel_carbon.processors.parties import PartySettings
from otel_carbon.processors.span_processor import CarbonSpanProcessor
from otel_carbon.processors.switches import ENABLED, KEEP_GENAI, is_enabled, switch
from otel_carbon.spans import SpanReader

__all__ = ["GRID_PROVIDER", "LEDGER", "METRICS", "install"]

_log = logging.getLogger(__name__)
_installing = threading.Lock()

LEDGER = "OTEL_CARBON_LEDGER"
METRICS = "OTEL_CARBON_METRICS"
GRID_PROVIDER = "OTEL_CARBON_GRID_PROVIDER"

Metrics = bool | Literal["histogram"]

_REMEMBERED = "_otel_carbon_processor"


def install(
    tracer_provider: trace.TracerProvider | None = None,
    *,
    ledger: str | Path | SightingWriter | None = None,
    metrics: Metrics | None = None,
    meter_provider: MeterProvider | None = None,
    factor_set: str | None = None,
    factor_sets: Sequence[str | Path] | None = None,
    region: str | None = None,
    zone: str | None = None,
    grid_intensity_g_per_kwh: float | None = None,
    pue_ratio: float | None = None,
    overrides: Sequence[Override | Mapping[str, Any]] | None = None,
    model_aliases: Mapping[str, str] | None = None,
    accounting: AccountingSettings | None = None,
    keep_genai: bool | None = None,
    attribution: Mapping[str, Sequence[str]] | None = None,
    baggage_keys: Sequence[str] | None = None,
    metrics_attributes: Sequence[str] | None = None,
) -> CarbonSpanProcessor | None:
    """Put energy, gCO2e and region on every GenAI span of the application. Safe to call more than once.

    Each argument that is not given is taken from its environment variable (docs/in-app.md lists them), else from the
    defaults. Returns the processor, the one that is already there if there is one, or None where there is nothing to
    do: switched off by `OTEL_CARBON_ENABLED=false`, or no SDK tracer provider set up yet, which is logged.

    Args:
        tracer_provider: the provider to add to; by default the global one.
        ledger: path of a SQLite file in which every call is kept, or its writer. Needs the extra `ledger`.
        metrics: False counts nothing, `histogram` adds the distribution of single calls.
        meter_provider: where the counters go; by default the global one.
        factor_set: id of the factor set; by default the newest.
        factor_sets: files with factor sets of your own; their rows for a model go before that set.
        region: where inference runs, in the provider's notation, for calls that do not say it themselves.
        zone: the electricity grid zone, for example `SE`.
        grid_intensity_g_per_kwh: carbon intensity of electricity, instead of the table's.
        pue_ratio: facility energy over IT energy, instead of the table's.
        overrides: your own numbers for some calls only, by model, provider and region; each row an `Override` or a
            mapping of its keys.
        model_aliases: deployment names, and the models they stand for.
        accounting: where an inventory has the calls, rules for some of them, and suppliers' own figures.
        keep_genai: False leaves the provider's sampler as it is, so calls that it drops are not counted. By default
            it is wrapped in `KeepGenAI`: every call is counted, and no more are exported.
        attribution: attribute keys, best first, by the party that they name (tenant, user …), instead of the default
            ones of that party.
        baggage_keys: those of them that are taken from W3C baggage too.
        metrics_attributes: parties that are attributes of the metrics too.

    Raises:
        ConfigError: a setting is wrong; the message names it and the fix.
        MissingExtraError: a ledger is asked for and the extra `ledger` is not installed.
        StorageError: the ledger cannot be opened.
    """
    if not is_enabled(os.environ):
        _log.info("otel-carbon is switched off by %s", ENABLED)
        return None
    provider: Any = _sdk_provider(tracer_provider or trace.get_tracer_provider())
    if provider is None:
        _log.warning("otel-carbon found no SDK tracer provider: set one up, then call otel_carbon.install()")
        return None
    given = {
        "factor_set": factor_set,
        "factor_sets": None if factor_sets is None else tuple(map(str, factor_sets)),
        "region": region,
        "zone": zone,
        "grid_intensity_g_per_kwh": grid_intensity_g_per_kwh,
        "pue_ratio": pue_ratio,
        "overrides": None if overrides is None else _overrides(overrides),
        "model_aliases": model_aliases,
        "accounting": accounting,
    }
    with _installing:
        processor = _present(provider)
        if processor is None:
            if switch(os.environ, KEEP_GENAI) if keep_genai is None else keep_genai:
                wrap_sampler(provider)
            parties = PartySettings.of(os.environ, attribution, baggage_keys, metrics_attributes)
            processor = CarbonSpanProcessor(
                Estimator(FactorTables.bundled(), _settings(given), _hourly(os.environ)),
                SpanReader.bundled(parties.rules),
                ledger=ledger or os.environ.get(LEDGER) or None,
                meter_provider=meter_provider,
                metrics=_metrics(os.environ) if metrics is None else metrics,
                baggage_keys=parties.baggage_keys,
                metrics_attributes=parties.metrics_attributes,
                metrics_attribute_limit=parties.metrics_attribute_limit,
                every_call_seen=keeps_genai(provider),
            )
            _add(provider, processor)
        return processor


def _overrides(rows: Sequence[Override | Mapping[str, Any]]) -> tuple[Override, ...]:
    from otel_carbon.estimator.overrides_file import override_of  # noqa: PLC0415 - few applications need it

    return tuple(
        row if isinstance(row, Override) else override_of(f"overrides[{index}]", row) for index, row in enumerate(rows)
    )


def _settings(given: Mapping[str, Any]) -> EstimatorSettings:
    settings = settings_from_environment(os.environ)
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _hourly(environ: Mapping[str, str]) -> IntensitySource | None:
    if not environ.get(GRID_PROVIDER, "").strip():
        return None
    from otel_carbon.grid import (  # noqa: PLC0415 - an application without a provider pays nothing for it
        config_from_environment,
        intensity_source,
    )

    return intensity_source(config_from_environment(environ), environ)


def _metrics(environ: Mapping[str, str]) -> Metrics:
    if environ.get(METRICS, "").strip().lower() == "histogram":
        return "histogram"
    return switch(environ, METRICS, also=" or histogram")


def _sdk_provider(provider: Any) -> Any | None:
    """Return the object that takes span processors: the SDK's provider, or a vendor's in front of it."""
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = trace.get_tracer_provider()
    return provider if hasattr(provider, "add_span_processor") else None


def _composite(provider: Any) -> Any | None:
    """Return the SDK's list of processors, also behind a vendor's proxy; None where it is not in the known place."""
    for holder in (provider, getattr(provider, "provider", None)):
        composite = getattr(holder, "_active_span_processor", None)
        if isinstance(getattr(composite, "_span_processors", None), tuple):
            return composite
    return None


def _present(provider: Any) -> CarbonSpanProcessor | None:
    listed = getattr(_composite(provider), "_span_processors", ())
    for processor in (*listed, getattr(provider, _REMEMBERED, None)):
        if isinstance(processor, CarbonSpanProcessor) and processor.active:
            return processor
    return None


def _add(provider: Any, processor: CarbonSpanProcessor) -> None:
    composite = _composite(provider)
    if hasattr(SpanProcessor, "_on_ending") or composite is None:
        provider.add_span_processor(processor)
    else:
        # Without `_on_ending` (SDK < 1.40) only what comes before an exporting processor can still change a span.
        with composite._lock:
            composite._span_processors = (processor, *composite._span_processors)
    with contextlib.suppress(AttributeError):  # a provider with slots
        setattr(provider, _REMEMBERED, processor)
