"""Energy and operational emissions by the grid whose intensity was applied."""

from __future__ import annotations

from otel_carbon.model import Footprint
from otel_carbon.pipeline.sums import AttributeSet
from otel_carbon.semconv.carbon import (
    METRIC_OTEL_CARBON_GRID_CO2E,
    METRIC_OTEL_CARBON_GRID_ENERGY,
    OTEL_CARBON_GRID_QUALITY,
    OTEL_CARBON_GRID_ZONE,
)
from otel_carbon.units import joules_from_wh

__all__ = ["GridUse", "Grids", "grid_use"]

GridUse = tuple[str, str | None, float, float]
"""Zone, quality of the figure, energy in Wh and operational emissions in g."""


class Grids:
    """Sums by grid zone and quality of the figure. Not for several threads.

    There are as many zones as the tables and the settings name, so no limit is needed.
    """

    def __init__(self) -> None:
        self._by_grid: dict[tuple[str, str | None], list[float]] = {}

    def add(self, use: GridUse, count: float) -> None:
        """Add a call."""
        zone, quality, energy_wh, operational_grams = use
        sums = self._by_grid.setdefault((zone, quality), [0.0, 0.0])
        sums[0] += energy_wh * count
        sums[1] += operational_grams * count

    def snapshot(self) -> dict[str, dict[AttributeSet, float]]:
        """Return the cumulative sums by metric and attribute set, in the metric's unit."""
        found = {_attributes(*grid): tuple(sums) for grid, sums in self._by_grid.items()}
        return {
            METRIC_OTEL_CARBON_GRID_ENERGY: {key: joules_from_wh(energy_wh) for key, (energy_wh, _) in found.items()},
            METRIC_OTEL_CARBON_GRID_CO2E: {key: co2e_grams for key, (_, co2e_grams) in found.items()},
        }


def grid_use(footprint: Footprint) -> GridUse | None:
    """Return what a call took from a grid; None where its emissions do not come from one."""
    grid, energy, operational = footprint.grid, footprint.energy_wh, footprint.co2e_operational_grams
    if grid.zone is None or grid.intensity_g_per_kwh is None or energy is None or operational is None:
        return None
    return grid.zone, grid.quality, energy.central, operational.central


def _attributes(zone: str, quality: str | None) -> AttributeSet:
    known = () if quality is None else ((OTEL_CARBON_GRID_QUALITY, quality),)
    return (*known, (OTEL_CARBON_GRID_ZONE, zone))
