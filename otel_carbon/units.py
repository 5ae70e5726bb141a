"""Every conversion between units. Inside the program a quantity has one unit: Wh, g, g/kWh, L, s."""

from __future__ import annotations

__all__ = [
    "JOULES_PER_WH",
    "NANOSECONDS_PER_SECOND",
    "grams_from_wh",
    "joules_from_wh",
    "kilograms_from_grams",
    "kilograms_from_milligrams",
    "kwh_from_wh",
    "liters_from_milliliters",
    "nanoseconds_from_seconds",
    "seconds_from_nanoseconds",
    "tokens_in_millions",
    "wh_from_kwh",
]

JOULES_PER_WH = 3600.0
NANOSECONDS_PER_SECOND = 1_000_000_000
_WH_PER_KWH = 1000.0


def joules_from_wh(energy_wh: float) -> float:
    """Return an energy in J. 1 Wh = 3600 J."""
    return energy_wh * JOULES_PER_WH


def kwh_from_wh(energy_wh: float) -> float:
    """Return an energy in kWh."""
    return energy_wh / _WH_PER_KWH


def wh_from_kwh(energy_kwh: float) -> float:
    """Return an energy in Wh."""
    return energy_kwh * _WH_PER_KWH


def grams_from_wh(energy_wh: float, intensity_g_per_kwh: float) -> float:
    """Return the emissions, in g, of an energy in Wh at an intensity in g/kWh."""
    return energy_wh / _WH_PER_KWH * intensity_g_per_kwh


def kilograms_from_grams(mass_g: float) -> float:
    """Return a mass in kg."""
    return mass_g / 1000.0


def kilograms_from_milligrams(mass_mg: float) -> float:
    """Return a mass in kg."""
    return mass_mg / 1e6


def liters_from_milliliters(volume_ml: float) -> float:
    """Return a volume in L."""
    return volume_ml / 1000.0


def tokens_in_millions(tokens: int) -> float:
    """Return a token count in millions, the unit that per-token factors are given for."""
    return tokens / 1e6


def seconds_from_nanoseconds(duration_ns: int) -> float:
    """Return a duration in s."""
    return duration_ns / NANOSECONDS_PER_SECOND


def nanoseconds_from_seconds(duration_s: float) -> int:
    """Return a duration in whole nanoseconds."""
    return round(duration_s * NANOSECONDS_PER_SECOND)
