"""Life-cycle parameters of a parametric factor set: models, data centres, electricity mixes, constants (EcoLogits)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import number

__all__ = ["LcaConstants", "LcaModel", "LcaProvider", "LcaTables", "Mix", "Range", "load_lca", "read_lca_models"]

Range = tuple[float, float]
"""Least and greatest value of a parameter. Not a statistical interval."""

_GRAMS_PER_KG = 1000.0


@dataclass(frozen=True, slots=True)
class LcaConstants:
    """Numerical constants of the equations; energies in kWh and Wh as EcoLogits writes them, sizes in billions."""

    model_quantization_bits: float
    gpu_energy_alpha_wh: float
    gpu_energy_beta: float
    gpu_energy_gamma_wh: float
    latency_alpha: float
    latency_beta: float
    latency_gamma: float
    gpu_memory_gb: float
    gpu_embodied_gwp_kg: float
    gpu_embodied_adpe_kgsb: float
    gpu_embodied_pe_mj: float
    server_gpus: float
    server_power_kw: float
    server_embodied_gwp_kg: float
    server_embodied_adpe_kgsb: float
    server_embodied_pe_mj: float
    hardware_lifespan_s: float
    batch_size: float
    memory_overhead: float


@dataclass(frozen=True, slots=True)
class LcaModel:
    """Size and speed of one model. Sizes in billions of parameters."""

    provider: str
    name: str
    total_b: Range
    active_b: Range
    tokens_per_s: float | None
    ttft_s: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LcaProvider:
    """Where a provider is taken to run, with PUE and water on site (L per kWh IT)."""

    zone: str
    pue_ratio: Range
    wue_onsite_l_per_it_kwh: Range


@dataclass(frozen=True, slots=True)
class Mix:
    """What one kWh of a country's electricity stands for."""

    zone: str
    g_per_kwh: float
    adpe_kgsbeq_per_kwh: float
    primary_energy_mj_per_kwh: float
    water_l_per_kwh: float


@dataclass(frozen=True, slots=True)
class LcaTables:
    """What the equations need beside the model. Mixes are by ISO 3166 alpha-3 and alpha-2 code of the country."""

    constants: LcaConstants
    providers: Mapping[str, LcaProvider]
    mixes: Mapping[str, Mix]


def load_lca(constants_file: Path, version: str, mixes_file: Path, countries_file: Path) -> LcaTables:
    """Read constants, data centres and mixes.

    Raises:
        FactorError: a file cannot be read, or a constant is missing or not a number.
    """
    try:
        document = json.loads(constants_file.read_text(encoding="utf-8"))
        constants, providers = document[version], document[f"providers_{version}"]
        return LcaTables(
            constants=_constants(constants_file.name, constants),
            providers={name: _provider(f"{constants_file.name}, {name}", raw) for name, raw in providers.items()},
            mixes=_mixes(mixes_file, countries_file),
        )
    except OSError as error:
        raise FactorError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise FactorError(f"{constants_file.name}: {error.args[0]} is missing") from error
    except ValueError as error:
        raise FactorError(f"{constants_file.name}: not valid JSON: {error}") from error


def read_lca_models(path: Path) -> Iterator[tuple[LcaModel, dict[str, str]]]:
    """Yield the models of a table, each with its row as published.

    Raises:
        FactorError: the file cannot be read, or a size or speed is not a number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FactorError(f"{path}: cannot be read: {error.strerror}") from error
    for row in csv.DictReader(text.splitlines()):
        where = f"{path.name}, {row['provider']} {row['model']}"
        model = LcaModel(
            provider=row["provider"],
            name=row["model"],
            total_b=_range(where, "total_b", row["total_b_min"], row["total_b_max"]),
            active_b=_range(where, "active_b", row["active_b_min"], row["active_b_max"]),
            tokens_per_s=number(where, "tps", row["tps"]) if row["tps"] else None,
            ttft_s=number(where, "ttft_s", row["ttft_s"]) if row["ttft_s"] else None,
            warnings=tuple(filter(None, row["warnings"].split("|"))),
        )
        yield model, row


def _constants(file: str, raw: Mapping[str, Any]) -> LcaConstants:
    values = {field.name: raw[field.name] for field in fields(LcaConstants)}
    # The decay of energy per token with the batch is the one constant below zero.
    return LcaConstants(
        **{
            name: float(value) if name == "gpu_energy_beta" else number(file, name, value)
            for name, value in values.items()
        }
    )


def _provider(where: str, raw: Mapping[str, Any]) -> LcaProvider:
    return LcaProvider(str(raw["zone"]), _range(where, "pue", *raw["pue"]), _range(where, "wue", *raw["wue"]))


def _mixes(path: Path, countries_file: Path) -> dict[str, Mix]:
    with countries_file.open(encoding="utf-8", newline="") as file:
        iso2_of = {row["iso3"]: row["iso2"] for row in csv.DictReader(file)}
    mixes: dict[str, Mix] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            where = f"{path.name}, {row['zone']}"
            mix = Mix(
                row["zone"],
                number(where, "gwp_kgco2e_per_kwh", row["gwp_kgco2e_per_kwh"]) * _GRAMS_PER_KG,
                number(where, "adpe_kgsbeq_per_kwh", row["adpe_kgsbeq_per_kwh"]),
                number(where, "pe_mj_per_kwh", row["pe_mj_per_kwh"]),
                number(where, "wue_l_per_kwh", row["wue_l_per_kwh"]),
            )
            mixes[mix.zone] = mixes[iso2_of.get(mix.zone, mix.zone)] = mix
    return mixes


def _range(where: str, key: str, least: object, greatest: object) -> Range:
    low, high = number(where, f"{key}_min", least), number(where, f"{key}_max", greatest)
    if low > high:
        raise FactorError(f"{where}: {key} is not in order: {low} > {high}")
    return low, high
