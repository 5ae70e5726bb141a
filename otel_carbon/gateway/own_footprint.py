"""What the gateway itself emits, beside what it measured: an honest tool states its own cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from otel_carbon.errors import ConfigError
from otel_carbon.factors import FactorTables, GridFamily
from otel_carbon.factors.constants import times_divided
from otel_carbon.factors.places import find_zone
from otel_carbon.factors.suggest import did_you_mean
from otel_carbon.gateway.own_energy import CORE_WATTS, EnergyMeter
from otel_carbon.gateway.rapl import Rapl
from otel_carbon.model import Footprint, Interval, believed_count
from otel_carbon.pipeline.pdata import Payload
from otel_carbon.units import JOULES_PER_WH, grams_from_wh

__all__ = ["EnergyConfig", "Measured", "OwnFootprint", "Place", "place_of"]

_EVERYWHERE = "*"
_READ_EVERY_S = 60.0  # a RAPL counter goes round in some minutes


@dataclass(frozen=True, slots=True)
class EnergyConfig:
    """`service::telemetry::energy`: where the gateway runs, and how its own energy is found out.

    Raises:
        ConfigError: a value is out of range, or the zone is not known.
    """

    source: Literal["auto", "rapl", "cpu_time"] = "auto"
    """`auto` is RAPL where it can be read, else CPU time."""
    powercap: str = "/sys/class/powercap"
    """Where the RAPL counters are."""
    watts_per_core: float | None = None
    """What one busy core of this machine draws, where you know it."""
    zone: str | None = None
    """Grid zone where the gateway runs; without one, the world with its bounds."""
    grid_intensity_g_per_kwh: float | None = None
    """Carbon intensity of its electricity, instead of a published one."""
    pue_ratio: float | None = None
    """Facility energy over IT energy where it runs."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("watts_per_core", "grid_intensity_g_per_kwh"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name}: must be more than 0")
        if self.pue_ratio is not None and self.pue_ratio < 1:
            raise ConfigError("pue_ratio: must be at least 1: the facility draws what its servers draw, and more")
        if self.zone is not None:
            place_of(self, FactorTables.bundled())

    def meter(self) -> EnergyMeter:
        """Return the meter of this process.

        Raises:
            ConfigError: RAPL is asked for and cannot be read.
        """
        rapl = None if self.source == "cpu_time" else Rapl(Path(self.powercap))
        if self.source == "rapl" and not rapl:
            raise ConfigError(
                f"service::telemetry::energy::source: no RAPL counter under {self.powercap} can be read; "
                "let the process read energy_uj there, or write auto"
            )
        core_watts = CORE_WATTS if self.watts_per_core is None else Interval.exact(self.watts_per_core)
        return EnergyMeter(rapl, core_watts)


@dataclass(frozen=True, slots=True)
class Place:
    """What electricity costs the climate where the gateway runs."""

    zone: str
    intensity_g_per_kwh: Interval
    pue_ratio: Interval


def place_of(config: EnergyConfig, tables: FactorTables) -> Place:
    """Return the place that the config names, with published figures for what it leaves open.

    Raises:
        ConfigError: the zone is not known.
    """
    world = tables.providers[_EVERYWHERE]
    pue_ratio = world.pue_ratio if config.pue_ratio is None else Interval.exact(config.pue_ratio)
    zone, intensity = world.country_iso3, world.intensity_g_per_kwh
    if config.zone is not None:
        grid = find_zone(tables, config.zone)
        if grid is None or grid.zone is None or grid.intensity_g_per_kwh is None:
            known = {zone for family in GridFamily for zone in tables.grid(family)}
            raise ConfigError(f"zone: unknown grid zone {config.zone!r}; {did_you_mean(config.zone, known)}")
        zone, intensity = grid.zone, times_divided(grid.intensity_g_per_kwh, tables.constants.known_zone_factor)
    if config.grid_intensity_g_per_kwh is not None:
        intensity = Interval.exact(config.grid_intensity_g_per_kwh)
    return Place(zone, intensity, pue_ratio)


class Measured:
    """The sum of what the gateway put on calls since it started. It watches pipelines as a connector does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums = (0.0, 0.0, 0.0)

    def observe(self, payload: Payload) -> None:
        """Add what this gateway estimated in a payload."""
        found = [
            (outcome.co2e_grams, believed_count(enriched.sighting.adjusted_count))
            for enriched in (payload.enriched or ())
            if isinstance(outcome := enriched.outcome, Footprint) and outcome.co2e_grams is not None
        ]
        if not found:
            return
        low, central, high = (
            sum(getattr(co2e_grams, bound) * count for co2e_grams, count in found)
            for bound in ("low", "central", "high")
        )
        with self._lock:
            self._sums = (self._sums[0] + low, self._sums[1] + central, self._sums[2] + high)

    def co2e_grams(self) -> Interval:
        """Return the sum, in g; bounds add linearly."""
        with self._lock:
            return Interval(*self._sums)


class OwnFootprint:
    """The gateway's own energy and emissions, and their ratio to what it measured."""

    def __init__(self, meter: EnergyMeter, place: Place, measured: Measured) -> None:
        self._meter = meter
        self._place = place
        self.measured = measured

    @classmethod
    def of_this_process(cls, config: EnergyConfig) -> Self:
        """Return that of this process. Raises ConfigError as `EnergyConfig.meter` and `place_of` do."""
        return cls(config.meter(), place_of(config, FactorTables.bundled()), Measured())

    def read(self) -> Mapping[str, Interval]:
        """Return `energy_joules` (at the server), `co2e_grams`, `measured_co2e_grams`, and `ratio` once it is known."""
        joules, measured = self._meter.read_joules(), self.measured.co2e_grams()
        facility_joules = joules * self._place.pue_ratio
        co2e_grams = _grams(facility_joules.scaled(1 / JOULES_PER_WH), self._place.intensity_g_per_kwh)
        found = {"energy_joules": joules, "co2e_grams": co2e_grams, "measured_co2e_grams": measured}
        if measured.low > 0:
            found["ratio"] = Interval(
                co2e_grams.low / measured.high, co2e_grams.central / measured.central, co2e_grams.high / measured.low
            )
        return found

    async def keep_reading(self) -> None:
        """Read again and again, until it is cancelled, as `EnergyMeter` asks for."""
        while True:
            await asyncio.sleep(_READ_EVERY_S)
            await asyncio.to_thread(self.read)

    def describe(self) -> dict[str, Any]:
        """Return everything as plain values, with how it was found out."""
        intervals = {name: _plain(interval) for name, interval in self.read().items()}
        return {
            "method": self._meter.method,
            **intervals,
            "zone": self._place.zone,
            "intensity_g_per_kwh": _plain(self._place.intensity_g_per_kwh),
            "pue_ratio": _plain(self._place.pue_ratio),
        }


def _grams(energy_wh: Interval, intensity_g_per_kwh: Interval) -> Interval:
    return (energy_wh * intensity_g_per_kwh).scaled(grams_from_wh(1.0, 1.0))


def _plain(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "central": interval.central, "high": interval.high}
