"""Life-cycle assessment of one generation by the equations of EcoLogits 0.11.3, restated.

Rincé, S., Banse, A.: EcoLogits: Evaluating the Environmental Impacts of Generative AI. Journal of Open Source Software
(2025). Only output tokens count. Parameters given as ranges are calculated with once at all minima and once at all
maxima, so that the two results are the ends of what is assumed, not a statistical interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from otel_carbon.factors.lca import LcaConstants, LcaModel, Mix, Range
from otel_carbon.units import kwh_from_wh, wh_from_kwh

__all__ = ["DataCentre", "LcaImpacts", "generation_s", "gpu_count", "it_energy_kwh", "lca_impacts"]

_BITS_PER_BYTE = 8.0
_S_PER_HOUR = 3600.0
_G_PER_KG = 1000.0


@dataclass(frozen=True, slots=True)
class DataCentre:
    """Efficiency and electricity of the place. The grid intensity is apart from the mix: a user may know better."""

    pue_ratio: Range
    wue_onsite_l_per_it_kwh: Range
    intensity_g_per_kwh: float
    mix: Mix


@dataclass(frozen=True, slots=True)
class LcaImpacts:
    """Impacts of one call, at the least and the greatest parameters."""

    it_energy_wh: Range
    energy_wh: Range
    co2e_operational_grams: Range
    co2e_embodied_grams: Range
    co2e_grams: Range
    water_liters: Range
    primary_energy_mj: Range
    abiotic_depletion_kgsbeq: Range


def lca_impacts(
    constants: LcaConstants, model: LcaModel, place: DataCentre, output_tokens: float, latency_s: float = math.inf
) -> LcaImpacts:
    """Return the impacts of generating so many tokens; `latency_s` is the duration of the call where it is known."""
    least, greatest = (_one_end(constants, model, place, output_tokens, latency_s, end=end) for end in (0, 1))
    pairs = [(low, high) for low, high in zip(least, greatest, strict=True)]
    return LcaImpacts(*pairs)


def gpu_count(constants: LcaConstants, total_b: float) -> int:
    """Return how many GPUs hold the weights, as the next power of two."""
    memory_gb = constants.memory_overhead * total_b * constants.model_quantization_bits / _BITS_PER_BYTE
    return int(2 ** math.ceil(math.log2(max(math.ceil(memory_gb / constants.gpu_memory_gb), 1))))


def generation_s(
    constants: LcaConstants, model: LcaModel, active_b: float, output_tokens: float, latency_s: float
) -> float:
    """Return the time of the generation in s: by the model's speed, never more than the call took."""
    if model.tokens_per_s is not None:
        s_per_token = 1.0 / model.tokens_per_s
    else:
        s_per_token = (
            constants.latency_alpha * active_b + constants.latency_beta * constants.batch_size + constants.latency_gamma
        )
    return min(latency_s, output_tokens * s_per_token + (model.ttft_s or 0.0))


def it_energy_kwh(
    constants: LcaConstants, active_b: float, gpus: int, output_tokens: float, duration_s: float
) -> float:
    """Return the energy of the call's share of the server and of its GPUs, in kWh."""
    gpu_wh_per_token = (
        constants.gpu_energy_alpha_wh * math.exp(constants.gpu_energy_beta * constants.batch_size) * active_b
        + constants.gpu_energy_gamma_wh
    )
    servers = gpus / constants.server_gpus
    server_kwh = duration_s / _S_PER_HOUR * constants.server_power_kw * servers / constants.batch_size
    return server_kwh + gpus * output_tokens * kwh_from_wh(gpu_wh_per_token)


def _one_end(
    constants: LcaConstants, model: LcaModel, place: DataCentre, output_tokens: float, latency_s: float, *, end: int
) -> tuple[float, ...]:
    active_b, pue_ratio = model.active_b[end], place.pue_ratio[end]
    wue_onsite_l_per_it_kwh = place.wue_onsite_l_per_it_kwh[end]
    gpus = gpu_count(constants, model.total_b[end])
    duration_s = generation_s(constants, model, active_b, output_tokens, latency_s)
    it_kwh = it_energy_kwh(constants, active_b, gpus, output_tokens, duration_s)
    facility_kwh = pue_ratio * it_kwh
    # The call's share of the life of the hardware that it occupies.
    share = duration_s / (constants.hardware_lifespan_s * constants.batch_size)
    servers = gpus / constants.server_gpus

    def manufacture(of_server: float, of_gpu: float) -> float:
        return share * (servers * of_server + gpus * of_gpu)

    operational_g = facility_kwh * place.intensity_g_per_kwh
    embodied_g = manufacture(constants.server_embodied_gwp_kg, constants.gpu_embodied_gwp_kg) * _G_PER_KG
    embodied_mj = manufacture(constants.server_embodied_pe_mj, constants.gpu_embodied_pe_mj)
    embodied_kgsb = manufacture(constants.server_embodied_adpe_kgsb, constants.gpu_embodied_adpe_kgsb)
    return (
        wh_from_kwh(it_kwh),
        wh_from_kwh(facility_kwh),
        operational_g,
        embodied_g,
        operational_g + embodied_g,
        it_kwh * (wue_onsite_l_per_it_kwh + pue_ratio * place.mix.water_l_per_kwh),
        facility_kwh * place.mix.primary_energy_mj_per_kwh + embodied_mj,
        facility_kwh * place.mix.adpe_kgsbeq_per_kwh + embodied_kgsb,
    )
