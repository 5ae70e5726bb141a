"""One call, described in plain words, estimated: `otel_carbon.estimate(model="gpt-4o", output_tokens=345)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from otel_carbon.errors import ConfigError
from otel_carbon.estimator.arguments import Arguments, items_of, notes_of, read_arguments, usage_of
from otel_carbon.estimator.document import outcome_document
from otel_carbon.estimator.estimator import Estimator
from otel_carbon.estimator.explain import Step, explain
from otel_carbon.estimator.overrides import Override, without_numbers
from otel_carbon.estimator.sci import Sci, sci_of_call
from otel_carbon.estimator.settings import DEFAULT_FACTOR_SET, EstimatorSettings
from otel_carbon.factors import FactorTables
from otel_carbon.factors.equivalents import DEFAULT_EQUIVALENTS, equivalents_of
from otel_carbon.factors.places import knows_region
from otel_carbon.factors.suggest import did_you_mean
from otel_carbon.model import Call, Footprint, Outcome, Source

__all__ = ["EQUIVALENTS", "Estimate", "estimate", "estimate_arguments", "noted", "prepared"]

EQUIVALENTS: Mapping[str, str] = {"epa": DEFAULT_EQUIVALENTS, "seed": "seed"}
"""Sets of equivalents by the name that a user gives."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The outcome of one call, with everyday equivalents and the working."""

    model: str
    """The name as it was given."""
    outcome: Outcome
    equivalents: Mapping[str, float]
    """How many units of each thing the central gCO2e equal; empty where nothing was estimated."""
    working: tuple[Step, ...]
    sources: tuple[Source, ...] = ()
    """The publications that the working cites, in its order."""
    sci: Sci | None = None
    """Software Carbon Intensity; None where the factor set does not give its terms."""

    def to_dict(self) -> dict[str, object]:
        """Return the estimate as plain data, the same as `otel-carbon estimate --format json` prints."""
        return outcome_document(self.outcome, self.equivalents, self.sci)


def estimate(
    model: str,
    *,
    provider: str | None = None,
    region: str | None = None,
    zone: str | None = None,
    input_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    output_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    images: int | None = None,
    videos: int | None = None,
    audio_seconds: float | None = None,
    media_outside_input: bool = False,
    factor_set: str | None = None,
    grid_intensity: float | None = None,
    pue: float | None = None,
    latency_s: float | None = None,
    at: datetime | str | None = None,
    equivalents: str = "epa",
    factor_sets: Sequence[str | Path] = (),
    overrides: Sequence[Override] = (),
) -> Estimate:
    """Return energy, gCO2e and water of one call with low, central and high, and how they came about.

    Args:
        model: name of the model, as any instrumentation or provider writes it.
        provider: `gen_ai.provider.name`, such as openai, aws.bedrock, azure.ai.openai.
        region: cloud region where inference runs. Without a provider it is read for the one that the model name
            gives, else as AWS, and a note says so.
        zone: grid zone: ISO 3166 alpha-3 code or Electricity Maps key.
        input_tokens: all input tokens, the cached ones included.
        cache_read_tokens: input tokens read from the provider's prompt cache.
        cache_write_tokens: input tokens written to it.
        output_tokens: all output tokens, the reasoning ones included.
        reasoning_tokens: output tokens that were not shown.
        images: images that the call made.
        videos: video clips that the call made.
        audio_seconds: seconds of audio that the call spoke or heard.
        media_outside_input: the request held images or audio that `input_tokens` does not include.
        factor_set: id of a factor set; default: the package's own.
        grid_intensity: g/kWh of the electricity, where you know it.
        pue: facility energy over IT energy, where you know it.
        latency_s: duration of the call; only parametric factor sets (ecologits) use it.
        at: when the call was made; chooses the version of the factor set. A time without a zone is UTC.
        equivalents: what the grams are compared with: epa (US EPA, August 2026) or seed (400 g per mile by car, 1,750 g
            per month of a tree, 8.22 g per phone charge).
        factor_sets: files with factor sets of your own: their rows for a model go before the default set, and each is
            selectable by its id. Each is read once in a process.
        overrides: your own PUE, WUE, grid intensity and energy per model, provider and region.

    Raises:
        ConfigError: an argument cannot be used; the message is `name: what is wrong and the fix`.
        FactorError: a file is not a valid factor set; the message names file, row and field.
    """
    return estimate_arguments(
        read_arguments(
            {
                "model": model,
                "provider": provider,
                "region": region,
                "zone": zone,
                "input_tokens": input_tokens,
                "cache_read_tokens": cache_read_tokens,
                "cache_write_tokens": cache_write_tokens,
                "output_tokens": output_tokens,
                "reasoning_tokens": reasoning_tokens,
                "images": images,
                "videos": videos,
                "audio_seconds": audio_seconds,
                "media_outside_input": media_outside_input,
                "factor_set": factor_set,
                "grid_intensity": grid_intensity,
                "pue": pue,
                "latency_s": latency_s,
                "at": at,
            }
        ),
        equivalents,
        tuple(map(str, factor_sets)),
        tuple(overrides),
    )


def estimate_arguments(
    arguments: Arguments,
    equivalents: str = "epa",
    factor_sets: tuple[str, ...] = (),
    overrides: tuple[Override, ...] = (),
) -> Estimate:
    """Return the estimate of one call by its arguments; `factor_sets` are files of the user.

    Raises:
        ConfigError: the model is missing, or a region, zone, factor set or set of equivalents is not known.
        FactorError: a file is not a valid factor set.
    """
    if equivalents not in EQUIVALENTS:
        raise ConfigError(f"equivalents: must be one of {', '.join(EQUIVALENTS)}, not {equivalents!r}")
    estimator, call = prepared(arguments, factor_sets, overrides)
    outcome = noted(estimator.estimate(call), arguments)
    if not isinstance(outcome, Footprint) or outcome.co2e_grams is None:
        return Estimate(call.model or "", outcome, {}, ())
    things = equivalents_of(outcome.co2e_grams.central, estimator.tables.equivalents[EQUIVALENTS[equivalents]])
    sci = None if call.usage is None else sci_of_call(outcome, call.usage)
    working, known = explain(estimator, call, outcome), estimator.tables.sources
    cited = tuple(known[key] for key in dict.fromkeys(step.source_id or "" for step in working) if key in known)
    return Estimate(call.model or "", outcome, things, working, cited, sci)


def noted(outcome: Outcome, arguments: Arguments) -> Outcome:
    """Return an outcome that says what was made of arguments that contradict each other."""
    return replace(outcome, notes=(*outcome.notes, *notes_of(arguments))) if isinstance(outcome, Footprint) else outcome


def prepared(
    arguments: Arguments, factor_sets: tuple[str, ...] = (), overrides: tuple[Override, ...] = ()
) -> tuple[Estimator, Call]:
    """Return the estimator and the call that arguments describe; `factor_sets` are files of the user.

    Raises:
        ConfigError: the model is missing, or a region, zone or factor set is not known.
        FactorError: a file is not a valid factor set.
    """
    if arguments.model is None:
        raise ConfigError("model: is missing; give the name of a model, such as gpt-4o")
    # What is said of this very call goes before what is configured for calls like it.
    said = {"pue": arguments.pue_ratio, "grid_intensity_g_per_kwh": arguments.grid_intensity_g_per_kwh}
    if arguments.zone is not None:
        said["grid_intensity_g_per_kwh"] = 0.0
    overrides = without_numbers(overrides, [name for name, value in said.items() if value is not None])
    estimator = _estimator(arguments, factor_sets, overrides)
    tables = estimator.tables
    own_regions = {(row.region or "").strip().lower() for row in overrides}
    if arguments.region is not None and not (
        knows_region(tables, arguments.region) or arguments.region.lower() in own_regions
    ):
        known = {name for regions in tables.regions.values() for name in regions}
        raise ConfigError(f"region: unknown cloud region {arguments.region!r}; {did_you_mean(arguments.region, known)}")
    call = Call(
        provider=arguments.provider,
        model=arguments.model,
        usage=usage_of(arguments),
        items=items_of(arguments),
        media_outside_input=arguments.media_outside_input,
        region=arguments.region,
        latency_s=arguments.latency_s,
        at_unix_nano=arguments.at_unix_nano,
    )
    return estimator, call


def _estimator(arguments: Arguments, factor_sets: tuple[str, ...], overrides: tuple[Override, ...]) -> Estimator:
    return _estimator_of(
        arguments.factor_set,
        arguments.zone,
        arguments.grid_intensity_g_per_kwh,
        arguments.pue_ratio,
        factor_sets=factor_sets,
        overrides=overrides,
    )


@lru_cache(maxsize=64)
def _estimator_of(
    factor_set: str | None,
    zone: str | None,
    grid_intensity_g_per_kwh: float | None,
    pue_ratio: float | None,
    *,
    factor_sets: tuple[str, ...],
    overrides: tuple[Override, ...],
) -> Estimator:
    settings = EstimatorSettings(
        factor_set=factor_set or DEFAULT_FACTOR_SET,
        factor_sets=factor_sets,
        own_sets_first=factor_set is None,
        zone=zone,
        grid_intensity_g_per_kwh=grid_intensity_g_per_kwh,
        pue_ratio=pue_ratio,
        overrides=overrides,
        water=True,
    )
    return Estimator(FactorTables.bundled(), settings)
