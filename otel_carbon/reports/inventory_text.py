"""Scopes, market-based emissions, further indicators and intensities in the words of the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.model import Interval
from otel_carbon.reports.display import count, grams_with_bounds, percent, significant
from otel_carbon.reports.report import InventoryEntry, MarketBased, Report, SciUnit, Totals

__all__ = ["indicator_lines", "inventory_lines"]

_MG_PER_KG = 1e6


def inventory_lines(report: Report) -> Iterator[str]:
    """Yield where an inventory has the calls, what suppliers' own figures say, and the intensities asked for."""
    entries = report.inventory
    if entries:
        single = len(entries) == 1
        yield f"Accounting  {'; '.join(_place(entry, alone=single) for entry in entries)}"
    if report.market_based is not None:
        yield f"Market      {_market(report.market_based)}"
    if report.sci is not None and report.sci.units:
        yield f"Intensity   {'; '.join(map(_unit, report.sci.units))}"


def indicator_lines(totals: Totals) -> Iterator[str]:
    """Yield primary energy and abiotic depletion where a factor set gives them."""
    if (primary := totals.primary_energy_mj) is not None and primary.central:
        yield f"  Primary    {_bounded(primary)} MJ of primary energy"
    if (depletion := totals.abiotic_depletion_kgsbeq) is not None and depletion.central:
        yield f"  Minerals   {_bounded(depletion.scaled(_MG_PER_KG))} mg Sb eq (ADPe)"


def _unit(unit: SciUnit) -> str:
    """Return an intensity: `3.40 gCO2e (0.900–12.0) per document (of 1,200)`."""
    if unit.per_unit_g is None:
        return f"none per {unit.name}: no estimated call names one"
    covered = "" if unit.share_of_calls >= 1.0 else f", which {percent(unit.share_of_calls)} of the calls name"
    return f"{grams_with_bounds(unit.per_unit_g)} per {unit.name} (of {count(unit.units)}{covered})"


def _place(entry: InventoryEntry, *, alone: bool) -> str:
    place = f"scope {entry.scope}" if entry.category is None else f"scope {entry.scope}, category {entry.category}"
    part = "" if entry.part == "total" else f", {entry.part} part"
    name = f"{place} ({entry.name.lower()}{part})"
    if alone or entry.co2e_grams is None:
        return name
    return f"{grams_with_bounds(entry.co2e_grams)} {name}"


def _market(found: MarketBased) -> str:
    grams = "" if found.co2e_market_based_grams is None else grams_with_bounds(found.co2e_market_based_grams)
    beside = ""
    if found.location_based_grams is not None:
        beside = f"; location-based the same electricity is {grams_with_bounds(found.location_based_grams)}"
    covered = percent(found.share_of_calls)
    return f"{grams} by suppliers' own figures, for {covered} of the estimated calls, in no total{beside}"


def _bounded(value: Interval) -> str:
    return f"{significant(value.central)} ({significant(value.low)}–{significant(value.high)})"
