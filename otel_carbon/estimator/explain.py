"""The working of an estimate, line by line, with unit and source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from otel_carbon.estimator.derivation import Derivation
from otel_carbon.estimator.document import interval_document
from otel_carbon.estimator.estimator import Estimator
from otel_carbon.model import Call, Footprint, Interval, Usage

__all__ = ["Step", "explain", "working_document"]

_KINDS = (
    ("uncached input", "uncached_input_tokens", "uncached_input_wh_per_1m"),
    ("cache read", "cache_read_tokens", "cache_read_wh_per_1m"),
    ("cache write", "cache_write_tokens", "cache_write_wh_per_1m"),
    ("visible output", "visible_output_tokens", "visible_output_wh_per_1m"),
    ("reasoning", "reasoning_tokens", "reasoning_wh_per_1m"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the working. `value` is None where the line is a look-up and not a quantity."""

    name: str
    how: str
    value: Interval | None = None
    unit: str = ""
    source_id: str | None = None


def explain(estimator: Estimator, call: Call, footprint: Footprint) -> tuple[Step, ...]:
    """Return the working of a footprint that this estimator gave for a call; empty where there is no factor."""
    found = estimator.derive(call)
    if found is None or call.usage is None:
        return ()
    if found.factor.set != footprint.factor.set:  # the set gave no energy for these tokens and another answered
        other = replace(estimator.settings, factor_set=footprint.factor.set)
        return explain(Estimator(estimator.tables, other, estimator.hourly), call, footprint)
    return (
        *_model_steps(call, found, footprint),
        *_token_steps(call.usage, found),
        *_place_steps(found, estimator),
        *_result_steps(footprint, found),
    )


def working_document(steps: Sequence[Step]) -> list[dict[str, object]]:
    """Return the working as plain data, for JSON."""
    return [
        {
            "step": step.name,
            "how": step.how,
            "value": interval_document(step.value),
            "unit": step.unit,
            "source": step.source_id,
        }
        for step in steps
    ]


def _model_steps(call: Call, found: Derivation, footprint: Footprint) -> Iterator[Step]:
    yield Step("model", f"{call.model or call.request_model!s} is read as {found.model.name or 'no name'}")
    basis = found.row.published.get("basis") or found.row.published.get("rule") or ""
    yield Step(
        "factor",
        f"{footprint.factor.id} of {footprint.factor.set}, by {footprint.factor.match}; "
        f"confidence {footprint.confidence.value}{f' ({basis})' if basis else ''}",
        source_id=found.row.source_id,
    )


def _token_steps(usage: Usage, found: Derivation) -> Iterator[Step]:
    for label, count_name, rate_name in _KINDS:
        count: int = getattr(usage, count_name)
        if count:
            rate: Interval = getattr(found.rates, rate_name)
            yield Step(f"{label} factor", f"x {count:,} tokens", rate, "Wh/1M tokens", found.row.source_id)


def _place_steps(found: Derivation, estimator: Estimator) -> Iterator[Step]:
    location, place = found.location, found.place
    yield Step("region", f"{location.region.name}, by {location.region.source}")
    yield Step(
        "grid intensity",
        f"zone {location.grid.zone}",
        place.intensity_g_per_kwh,
        "g/kWh",
        location.grid.source,
    )
    pue = "given" if estimator.settings.pue_ratio is not None else "facility energy over IT energy"
    yield Step("PUE", pue, place.pue_ratio, "", location.efficiency_source_id)
    embodied = estimator.tables.constants.embodied_g_per_it_kwh
    yield Step("embodied", "manufacture of the hardware", embodied, "g/kWh IT", "otel-carbon-derived")
    if place.wue_offsite_l_per_kwh is not None:
        yield Step("water on site", "cooling", place.wue_onsite_l_per_it_kwh, "L/kWh IT", location.efficiency_source_id)
        yield Step("water off site", "electricity", place.wue_offsite_l_per_kwh, "L/kWh", "ecologits-0.11.3")


def _result_steps(footprint: Footprint, found: Derivation) -> Iterator[Step]:
    boundary = found.factor_set.boundary.value
    yield Step("IT energy", f"tokens x factors, {boundary} boundary of the set", footprint.it_energy_wh, "Wh")
    yield Step("facility energy", "IT energy x PUE", footprint.energy_wh, "Wh")
    yield Step("operational", "facility energy x grid intensity", footprint.co2e_operational_grams, "gCO2e")
    yield Step("embodied", "IT energy x embodied", footprint.co2e_embodied_grams, "gCO2e")
    yield Step("total", "operational + embodied", footprint.co2e_grams, "gCO2e")
    if footprint.water_liters is not None:
        yield Step("water", "IT energy x (on site + PUE x off site)", footprint.water_liters, "L")
    for note in footprint.notes:
        yield Step("note", note)
