"""Lines of the working of an estimate: one kind of lines for each basis of a factor set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otel_carbon.estimator.amounts import includes_place
from otel_carbon.estimator.derivation import Derivation, widened
from otel_carbon.estimator.items import counted
from otel_carbon.estimator.lca import generation_s, gpu_count, it_energy_kwh
from otel_carbon.estimator.parametric import between, duration_bound_s
from otel_carbon.factors import Basis, Boundary
from otel_carbon.factors.constants import Constants, times_divided
from otel_carbon.factors.lca import LcaModel, LcaTables
from otel_carbon.factors.scale import request_scale
from otel_carbon.model import Call, Footprint, Interval, Items, Usage, input_tokens, output_tokens
from otel_carbon.units import wh_from_kwh

__all__ = ["Step", "amount_steps", "item_steps", "lca_steps", "place_steps", "result_steps", "token_steps"]

_KINDS = (
    ("uncached input", "uncached_input_tokens", "uncached_input_wh_per_1m"),
    ("cache read", "cache_read_tokens", "cache_read_wh_per_1m"),
    ("cache write", "cache_write_tokens", "cache_write_wh_per_1m"),
    ("visible output", "visible_output_tokens", "visible_output_wh_per_1m"),
    ("reasoning", "reasoning_tokens", "reasoning_wh_per_1m"),
)
_FIGURES = {
    "total_kwh_per_1m": "kWh/1M tokens",
    "total_g_per_1k": "gCO2e/1k tokens",
    "request_wh": "Wh",
    "request_g": "gCO2e",
    "request_ml": "mL",
    "request_mg_sb_eq": "mg Sb eq",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the working. `value` is None where the line is a look-up and not a quantity."""

    name: str
    how: str
    value: Interval | None = None
    unit: str = ""
    source_id: str | None = None


def basis_of(found: Derivation) -> Basis:
    """Return what the figures of a row are given for: those of items go with grid and PUE as those of tokens do."""
    return found.factor_set.basis if found.row.item is None else Basis.PER_TOKEN


def token_steps(usage: Usage, found: Derivation, constants: Constants) -> Iterator[Step]:
    """Yield the factors of the kinds of tokens that a call has."""
    rates = widened(constants, found.row, found.step)
    for label, count_name, rate_name in _KINDS:
        count: int = getattr(usage, count_name)
        if count:
            rate: Interval = getattr(rates, rate_name)
            yield Step(f"{label} factor", f"x {count:,} tokens", rate, "Wh/1M tokens", found.row.source_id)
    yield from _boundary_steps(found.factor_set.boundary, constants)


def item_steps(items: Items, found: Derivation, constants: Constants) -> Iterator[Step]:
    """Yield the factor of one item, and what leads from its boundary to the server."""
    rate = found.row.item
    assert rate is not None
    yield Step("item factor", f"x {counted(items)}", rate.wh_per_item, f"Wh/{rate.unit}", found.row.source_id)
    yield from _boundary_steps(rate.boundary, constants)


def _boundary_steps(boundary: Boundary, constants: Constants) -> Iterator[Step]:
    if boundary is Boundary.ACCELERATOR:
        ratio = constants.it_over_accelerator_ratio
        yield Step("IT over accelerator", "host, idle and network of the server", ratio, "", "google-gemini-2025")


def amount_steps(usage: Usage, found: Derivation, constants: Constants) -> Iterator[Step]:
    """Yield the published figures of a row, the bounds put around them, and what they are multiplied with."""
    factor = max(constants.bounds_factor[found.row.confidence], found.factor_set.min_bounds_factor)
    for key, unit in _FIGURES.items():
        value: Any = found.row.published.get(key)
        if value is not None:
            bounds = times_divided(float(value), factor)
            yield Step("published figure", f"{key}; bounds x and / {factor:g}", bounds, unit, found.row.source_id)
    if found.factor_set.basis is Basis.PER_REQUEST:
        tokens = request_scale(found.row.name, found.row.published)
        said = "once per request" if tokens is None else f"x {output_tokens(usage):,} output tokens / {tokens}"
    else:
        said = f"x {input_tokens(usage) + output_tokens(usage):,} tokens, input and output alike"
    yield Step("amount", said)


def lca_steps(call: Call, found: Derivation, lca: LcaTables, model: LcaModel) -> Iterator[Step]:
    """Yield sizes, speed, constants and intermediate results of the life-cycle equations."""
    source_id, constants = found.row.source_id, lca.constants
    tokens = 0 if call.usage is None else output_tokens(call.usage)
    bound_s = duration_bound_s(call.latency_s)
    gpus = [gpu_count(constants, size_b) for size_b in model.total_b]
    times_s = [generation_s(constants, model, size_b, tokens, bound_s) for size_b in model.active_b]
    energies_kwh = [
        it_energy_kwh(constants, active_b, count, tokens, time_s)
        for active_b, count, time_s in zip(model.active_b, gpus, times_s, strict=True)
    ]
    speed = (
        f"{model.tokens_per_s:g} tokens/s measured, first token after {model.ttft_s or 0:g} s"
        if model.tokens_per_s is not None
        else f"{constants.latency_alpha} x active + {constants.latency_beta} x batch + {constants.latency_gamma}"
    )
    limit = "" if call.latency_s is None else f", at most the {call.latency_s:g} s of the call"
    yield Step("output tokens", f"{tokens:,}; input is not counted")
    yield Step("parameters", "all", between(model.total_b), "billions", source_id)
    yield Step("active parameters", "per token", between(model.active_b), "billions", source_id)
    memory = f"{constants.memory_overhead:g} x parameters x {constants.model_quantization_bits:g} bit"
    yield Step(
        "GPUs",
        f"{memory} in {constants.gpu_memory_gb:g} GB each, up to a power of two",
        between((gpus[0], gpus[1])),
        "",
        source_id,
    )
    yield Step("generation time", f"{speed}{limit}", between((times_s[0], times_s[1])), "s", source_id)
    yield Step(
        "IT energy",
        f"GPUs x tokens x ({constants.gpu_energy_alpha_wh} x exp({constants.gpu_energy_beta} x batch) x active + "
        f"{constants.gpu_energy_gamma_wh}) Wh + time x {constants.server_power_kw:g} kW x GPUs / "
        f"{constants.server_gpus:g} / batch {constants.batch_size:g}",
        between((wh_from_kwh(energies_kwh[0]), wh_from_kwh(energies_kwh[1]))),
        "Wh",
        source_id,
    )
    yield Step(
        "manufacture",
        f"time / ({constants.hardware_lifespan_s:g} s x batch) x (GPUs / {constants.server_gpus:g} x "
        f"{constants.server_embodied_gwp_kg:g} kg + GPUs x {constants.gpu_embodied_gwp_kg:g} kg); primary energy "
        f"{constants.server_embodied_pe_mj:g} and {constants.gpu_embodied_pe_mj:g} MJ, antimony "
        f"{constants.server_embodied_adpe_kgsb:g} and {constants.gpu_embodied_adpe_kgsb:g} kg",
        source_id=source_id,
    )
    mix = lca.mixes[found.location.water_zone]
    yield Step("electricity mix", mix.zone, Interval.exact(mix.primary_energy_mj_per_kwh), "MJ/kWh", source_id)
    yield Step("electricity mix", mix.zone, Interval.exact(mix.adpe_kgsbeq_per_kwh), "kg Sb eq/kWh", source_id)
    yield Step("water off site", mix.zone, Interval.exact(mix.water_l_per_kwh), "L/kWh", source_id)


def place_steps(found: Derivation, constants: Constants, *, given_pue: bool) -> Iterator[Step]:
    """Yield region, grid, PUE, embodied emissions and water, as far as the basis of the set applies them."""
    location, place, basis = found.location, found.place, basis_of(found)
    yield Step("region", f"{location.region.name or 'none'}, by {location.region.source}")
    if found.row.item is None and includes_place(found.factor_set, found.row.published):
        yield Step("grid intensity", "part of the published figure; nothing is applied")
        return
    yield Step("grid intensity", f"zone {location.grid.zone}", place.intensity_g_per_kwh, "g/kWh", location.grid.source)
    if basis not in (Basis.PER_TOKEN, Basis.PARAMETRIC):
        yield Step("PUE", "part of the published figure; nothing is applied")
        return
    pue = "given" if given_pue else "facility energy over IT energy"
    yield Step("PUE", pue, place.pue_ratio, "", location.efficiency_source_id)
    if basis is Basis.PARAMETRIC:
        yield Step("water on site", "cooling", place.wue_onsite_l_per_it_kwh, "L/kWh IT", location.efficiency_source_id)
        return
    embodied = constants.embodied_g_per_it_kwh
    yield Step("embodied", "manufacture of the hardware", embodied, "g/kWh IT", "otel-carbon-derived")
    if place.wue_offsite_l_per_kwh is not None:
        yield Step("water on site", "cooling", place.wue_onsite_l_per_it_kwh, "L/kWh IT", location.efficiency_source_id)
        yield Step("water off site", "electricity", place.wue_offsite_l_per_kwh, "L/kWh", "ecologits-0.11.3")


def result_steps(footprint: Footprint, found: Derivation) -> Iterator[Step]:
    """Yield every quantity that the basis gives, and how it follows from the lines above; then the notes."""
    for name, how, value, unit in _results(footprint, found):
        if value is not None:
            yield Step(name, how, value, unit)
    for note in footprint.notes:
        yield Step("note", note)


def _results(footprint: Footprint, found: Derivation) -> Iterator[tuple[str, str, Interval | None, str]]:
    basis = basis_of(found)
    if basis in (Basis.TOTAL_KWH_PER_1M, Basis.TOTAL_G_PER_1K, Basis.PER_REQUEST):
        with_grid = "facility energy x grid intensity"
        included = includes_place(found.factor_set, found.row.published)
        yield "facility energy", "published figure x amount", footprint.energy_wh, "Wh"
        yield "operational", with_grid, footprint.co2e_operational_grams, "gCO2e"
        yield "total", "published figure x amount" if included else with_grid, footprint.co2e_grams, "gCO2e"
        yield "water", "published figure x amount", footprint.water_liters, "L"
        yield "abiotic depletion", "published figure x amount", footprint.abiotic_depletion_kgsbeq, "kg Sb eq"
        return
    item = found.row.item
    boundary = (found.factor_set.boundary if item is None else item.boundary).value
    what = "tokens x factors" if item is None else "items x factor"
    if basis is Basis.PER_TOKEN:
        yield "IT energy", f"{what}, {boundary} boundary", footprint.it_energy_wh, "Wh"
    embodied = "IT energy x embodied" if basis is Basis.PER_TOKEN else "time x manufacture"
    yield "facility energy", "IT energy x PUE", footprint.energy_wh, "Wh"
    yield "operational", "facility energy x grid intensity", footprint.co2e_operational_grams, "gCO2e"
    yield "embodied", embodied, footprint.co2e_embodied_grams, "gCO2e"
    yield "total", "operational + embodied", footprint.co2e_grams, "gCO2e"
    yield "water", "IT energy x (on site + PUE x off site)", footprint.water_liters, "L"
    yield "primary energy", "facility energy x mix + manufacture", footprint.primary_energy_mj, "MJ"
    yield "abiotic depletion", "facility energy x mix + manufacture", footprint.abiotic_depletion_kgsbeq, "kg Sb eq"
