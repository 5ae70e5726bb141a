"""The `carbon` processor of the gateway: puts energy and emissions on every GenAI call that passes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from otel_carbon.errors import ConfigError
from otel_carbon.estimator import AccountingSettings, Estimator, EstimatorSettings, Override
from otel_carbon.factors import FactorTables
from otel_carbon.grid import GridIntensityConfig, intensity_source
from otel_carbon.model import NotEstimated, Status
from otel_carbon.pipeline.attributes_marks import MarkEncoder
from otel_carbon.pipeline.component import Factory, Kind, Settings, Stability
from otel_carbon.pipeline.duplicates import duplicates
from otel_carbon.pipeline.otlp_spans import genai_spans
from otel_carbon.pipeline.pdata import Enriched, Payload, Signal
from otel_carbon.pipeline.sender import sent_by
from otel_carbon.pipeline.wire import append_to_spans
from otel_carbon.spans import AttributionRules, SpanReader

__all__ = ["FACTORY", "CarbonProcessor", "Config"]

_DEFAULTS = EstimatorSettings()
_DUPLICATE = NotEstimated(Status.DUPLICATE, "another span of the same request stands for the same call")


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the processor: the settings of the estimate, and which attributes name who pays for it.

    Raises:
        ConfigError: a value is out of range.
    """

    factor_set: str = _DEFAULTS.factor_set
    """Id of a factor set, or a name without its version: the call's own time then chooses."""
    factor_sets: tuple[str, ...] = _DEFAULTS.factor_sets
    """Files with factor sets of your own, which can then be selected by their ids."""
    own_sets_first: bool = _DEFAULTS.own_sets_first
    """Whether a row that one of these files has for a model goes before the selected set."""
    region: str | None = _DEFAULTS.region
    """Cloud region where inference runs, whatever the call says."""
    zone: str | None = _DEFAULTS.zone
    """Grid zone where inference runs, whatever the call says."""
    grid: str = _DEFAULTS.grid
    """Publication of grid intensities: electricity-maps or ember."""
    grid_intensity_g_per_kwh: float | None = _DEFAULTS.grid_intensity_g_per_kwh
    """Carbon intensity of the electricity, in g/kWh, instead of a published one."""
    grid_intensity: GridIntensityConfig = field(default_factory=GridIntensityConfig)
    """Where intensities by the hour come from; nothing is asked for without a provider."""
    pue_ratio: float | None = _DEFAULTS.pue_ratio
    """Facility energy over IT energy, instead of the provider's."""
    wue_l_per_it_kwh: float | None = _DEFAULTS.wue_l_per_it_kwh
    """Water of cooling in L per kWh of IT energy, instead of the provider's."""
    overrides: tuple[Override, ...] = _DEFAULTS.overrides
    """Your own numbers for some calls only, by model, provider and region; the most specific row goes first."""
    model_aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Model name on the span to the name of the model behind it."""
    water: bool = _DEFAULTS.water
    """Whether water consumption is put on the span."""
    fallback: bool = _DEFAULTS.fallback
    """Whether an unknown model gets the factor of an unknown model; otherwise it has no estimate."""
    attribution: AttributionRules = field(default_factory=AttributionRules)
    """Attribute keys, best first, that name who a call is accounted to."""
    accounting: AccountingSettings = field(default_factory=AccountingSettings)
    """Scope and category of the calls in an inventory, and suppliers' own intensities; for the ledger."""

    def __post_init__(self) -> None:
        """Refuse what the estimator would refuse."""
        self.estimator_settings()

    def estimator_settings(self) -> EstimatorSettings:
        """Return the part that the estimator needs."""
        return EstimatorSettings(
            factor_set=self.factor_set,
            factor_sets=self.factor_sets,
            own_sets_first=self.own_sets_first,
            region=self.region,
            zone=self.zone,
            grid=self.grid,
            grid_intensity_g_per_kwh=self.grid_intensity_g_per_kwh,
            pue_ratio=self.pue_ratio,
            wue_l_per_it_kwh=self.wue_l_per_it_kwh,
            overrides=self.overrides,
            model_aliases=self.model_aliases,
            water=self.water,
            fallback=self.fallback,
            accounting=self.accounting,
        )


class CarbonProcessor:
    """Marks the GenAI calls of traces with their footprint. Everything else passes byte for byte. Thread-safe."""

    accounts = True

    def __init__(self, config: Config, settings: Settings) -> None:
        shared = settings.shared.get("estimator")
        self.estimator: Estimator = shared or _estimator(config, settings)
        """What the outcomes come from, for whoever has to come to the same ones."""
        self.reader = SpanReader.bundled(config.attribution)
        """What calls are read with, likewise."""
        self._spans = genai_spans(self.reader)
        self._marks = MarkEncoder()

    def process(self, payload: Payload) -> Payload:
        """Return the payload with a mark on every call, and the GenAI-related spans in `enriched`.

        A span that an earlier stage marked is left alone, and so is one whose ids are invalid.

        Raises:
            InvalidDataError: the body is not a traces request.
        """
        if payload.signal is not Signal.TRACES:
            return payload
        layout, spans = self._spans.scan(payload.body)
        if not spans:
            return replace(payload, enriched=())
        if payload.tenant is not None:
            spans = [(at, sent_by(payload.tenant, sighting), marked) for at, sighting, marked in spans]
        enriched: list[Enriched] = []
        additions: dict[int, bytes] = {}
        repeated = duplicates([sighting for _, sighting, _ in spans])
        # A carbon processor before this one has seen the same spans in the same order. Ids would not do: a sender may
        # give one to two spans.
        earlier = payload.enriched if len(payload.enriched or ()) == len(spans) else None
        for index, (at, sighting, marked) in enumerate(spans):
            call = sighting.call
            if marked or call is None:
                enriched.append(earlier[index] if earlier else Enriched(sighting, None))
                continue
            outcome = _DUPLICATE if index in repeated else self.estimator.estimate(call)
            additions[at] = self._marks.encode(outcome)
            enriched.append(Enriched(sighting, outcome))
        body = append_to_spans(payload.body, layout, additions)
        return replace(payload, body=body, enriched=tuple(enriched))


def _estimator(config: Config, settings: Settings) -> Estimator:
    data_dir = settings.shared.get("data_dir")
    cache_dir = None if data_dir is None else Path(data_dir) / "grid"
    try:
        hourly = intensity_source(config.grid_intensity, os.environ, cache_dir)
    except ConfigError as error:
        raise ConfigError(f"grid_intensity::{error}") from error
    return Estimator(FactorTables.bundled(), config.estimator_settings(), hourly)


FACTORY = Factory(
    type="carbon",
    kind=Kind.PROCESSOR,
    stability=Stability.BETA,
    signals=frozenset(Signal),
    config=Config,
    create=CarbonProcessor,
)
