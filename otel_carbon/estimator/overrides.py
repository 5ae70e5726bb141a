"""The user's own numbers for some calls: PUE, WUE, grid intensity and energy per model, provider and region."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from otel_carbon.errors import ConfigError
from otel_carbon.model import MOST_INTENSITY_G_PER_KWH, Confidence

__all__ = [
    "MOST_PUE_RATIO",
    "MOST_WUE_L_PER_KWH",
    "NUMBERS",
    "Chosen",
    "Override",
    "Seen",
    "check_overrides",
    "chosen_overrides",
    "without_numbers",
]

MOST_PUE_RATIO = 10.0
"""No data centre comes near it; a slip in a unit would spoil every sum in silence."""
MOST_WUE_L_PER_KWH = 100.0
"""The thirstiest published sites use about 3."""
_MOST_WH_PER_1M = 60_000.0  # as in factor sets: the dearest published estimate is 23,700
_CONDITIONS = ("model", "provider", "region")
_ENERGIES = (
    *("input_wh_per_1m", "cached_input_wh_per_1m", "cache_write_wh_per_1m", "output_wh_per_1m", "reasoning_wh_per_1m"),
)
NUMBERS = ("pue", "wue_l_per_kwh", "grid_intensity_g_per_kwh", *_ENERGIES)
"""Keys of an override that hold a number."""
_BOUNDARIES = ("accelerator", "it", "facility")


@dataclass(frozen=True, slots=True)
class Override:
    """Numbers for the calls that meet all of the conditions given; at least one of each.

    Raises:
        ConfigError: a number is out of range, or there is no condition or no number. The message begins with the key.
    """

    model: str | None = None
    """Name of a model, as it arrives or as `factors explain` normalises it; `*` and `?` stand for others."""
    provider: str | None = None
    """`gen_ai.provider.name` of the call, or one of the names that it goes by here."""
    region: str | None = None
    """Region that the call names, or the one that it was found to run in."""
    pue: float | None = None
    """Facility energy over IT energy."""
    wue_l_per_kwh: float | None = None
    """Water of cooling, in L per kWh of IT energy."""
    grid_intensity_g_per_kwh: float | None = None
    """Carbon intensity of the electricity."""
    input_wh_per_1m: float | None = None
    """Energy of a million input tokens."""
    cached_input_wh_per_1m: float | None = None
    """Energy of a million input tokens from the cache; else input x 0.1."""
    cache_write_wh_per_1m: float | None = None
    """Energy of a million input tokens written to the cache; else as input."""
    output_wh_per_1m: float | None = None
    """Energy of a million output tokens."""
    reasoning_wh_per_1m: float | None = None
    """Energy of a million reasoning tokens; else output x 1.2."""
    energy_boundary: str = "it"
    """What the energies were measured at: accelerator, it or facility."""
    confidence: str = Confidence.ESTIMATED.value
    """What the energies are worth: measured, vendor_reported, estimated, class_default or low."""
    source: str = ""
    """Where the numbers are from, for whoever reads the ledger."""

    def __post_init__(self) -> None:
        """Refuse a row that says nothing, or that cannot be."""
        if not any(getattr(self, name) for name in _CONDITIONS):
            raise ConfigError(f"model: a condition is missing; give at least one of {', '.join(_CONDITIONS)}")
        if all(getattr(self, name) is None for name in NUMBERS):
            raise ConfigError(f"pue: a number is missing; give at least one of {', '.join(NUMBERS)}")
        _check_between("pue", self.pue, 1.0, MOST_PUE_RATIO, "(facility over IT energy)")
        _check_between("wue_l_per_kwh", self.wue_l_per_kwh, 0.0, MOST_WUE_L_PER_KWH, "L per kWh of IT energy")
        _check_between(
            "grid_intensity_g_per_kwh", self.grid_intensity_g_per_kwh, 0.0, MOST_INTENSITY_G_PER_KWH, "g/kWh"
        )
        for name in _ENERGIES:
            _check_between(name, getattr(self, name), 0.0, _MOST_WH_PER_1M, "Wh per 1M tokens")
        if self.has_energy and (self.input_wh_per_1m is None or self.output_wh_per_1m is None):
            missing = "input_wh_per_1m" if self.input_wh_per_1m is None else "output_wh_per_1m"
            raise ConfigError(f"{missing}: is missing; energy needs input_wh_per_1m and output_wh_per_1m")
        _check_choice("energy_boundary", self.energy_boundary, _BOUNDARIES)
        _check_choice("confidence", self.confidence, [each.value for each in Confidence])

    @property
    def has_energy(self) -> bool:
        """Return whether the row gives energy per token."""
        return any(getattr(self, name) is not None for name in _ENERGIES)

    @property
    def conditions(self) -> str:
        """Return the conditions as a person reads them: `provider my-vllm, region eu-de`."""
        return ", ".join(f"{name} {value}" for name in _CONDITIONS if (value := getattr(self, name)))

    @property
    def energy_id(self) -> str:
        """Return an id that stands for the energies of this row and no others."""
        figures = [f"{name}={getattr(self, name)!r}" for name in (*_CONDITIONS, *_ENERGIES, "energy_boundary")]
        return f"override-{hashlib.sha256(' '.join(figures).encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call shows of the conditions, each under all names that it goes by, in lower case."""

    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The numbers for one kind of call: of each the one in the most specific row that has it."""

    pue: float | None = None
    wue_l_per_kwh: float | None = None
    grid_intensity_g_per_kwh: float | None = None
    region: str | None = None
    """The region of the row that the grid intensity is from."""
    energy: Override | None = None
    notes: tuple[str, ...] = ()


_NOTHING = Chosen()


def check_overrides(overrides: Sequence[Override]) -> None:
    """Refuse two rows with the same conditions: neither would be the more specific one.

    Raises:
        ConfigError: there are two such rows. The message begins with the row.
    """
    seen: dict[tuple[str, ...], int] = {}
    for index, row in enumerate(overrides):
        key = tuple((getattr(row, name) or "").strip().lower() for name in _CONDITIONS)
        if key in seen:
            raise ConfigError(
                f"overrides[{index}]: has the conditions of overrides[{seen[key]}] ({row.conditions}); join the two"
            )
        seen[key] = index


def chosen_overrides(overrides: Sequence[Override], seen: Seen) -> Chosen:
    """Return the numbers for a call. More conditions go before fewer, then model before provider before region."""
    met = [(index, row) for index, row in enumerate(overrides) if _meets(row, seen)]
    if not met:
        return _NOTHING
    met.sort(key=lambda each: _specificity(each[1]), reverse=True)
    used: dict[int, list[str]] = {}

    def first(name: str) -> Any:
        for index, row in met:
            if (value := getattr(row, name)) is not None:
                used.setdefault(index, []).append(f"{name} {value:g}")
                return value
        return None

    pue, wue, grid = first("pue"), first("wue_l_per_kwh"), first("grid_intensity_g_per_kwh")
    energy = next(((index, row) for index, row in met if row.has_energy), None)
    if energy is not None:
        used.setdefault(energy[0], []).append("energy per token")
    region = next((row.region for _, row in met if row.grid_intensity_g_per_kwh is not None), None)
    rows = dict(met)
    return Chosen(
        pue=pue,
        wue_l_per_kwh=wue,
        grid_intensity_g_per_kwh=grid,
        region=region,
        energy=None if energy is None else energy[1],
        notes=tuple(_note(index, rows[index], what) for index, what in used.items()),
    )


def without_numbers(overrides: Sequence[Override], names: Sequence[str]) -> tuple[Override, ...]:
    """Return the rows without some of their numbers; a row that has no other is left out."""
    if not names:
        return tuple(overrides)
    gone: dict[str, Any] = dict.fromkeys(names)
    kept = (row for row in overrides if any(getattr(row, name) is not None for name in NUMBERS if name not in gone))
    return tuple(replace(row, **gone) for row in kept)


def _meets(row: Override, seen: Seen) -> bool:
    pairs = ((row.model, seen.models), (row.provider, seen.providers), (row.region, seen.regions))
    return all(_matches(wanted, shown) for wanted, shown in pairs if wanted)


def _matches(wanted: str, shown: tuple[str, ...]) -> bool:
    pattern = wanted.strip().lower()
    return any(pattern == name or fnmatchcase(name, pattern) for name in shown)


def _specificity(row: Override) -> tuple[int, ...]:
    given = [bool(getattr(row, name)) for name in _CONDITIONS]
    literals = len((row.model or "").replace("*", "").replace("?", ""))
    return sum(given), *map(int, given), literals


def _note(index: int, row: Override, what: Sequence[str]) -> str:
    source = f" ({row.source})" if row.source else ""
    return f"own numbers, overrides[{index}] for {row.conditions}: {', '.join(what)}{source}"


def _check_between(key: str, value: float | None, least: float, most: float, unit: str) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigError(f"{key}: must be from {least:g} to {most:,g} {unit}, not {value!r}")


def _check_choice(key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"{key}: must be one of {', '.join(known)}, not {value!r}")
