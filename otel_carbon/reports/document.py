"""A report as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from otel_carbon.ledger.columns import BOUNDS, MEDIA, QUANTITIES, TOKENS
from otel_carbon.model import Interval
from otel_carbon.reports.report import Report, Sci, SecondGroup, SecondSet, Totals

__all__ = ["report_csv", "report_document"]

_UNITS: Mapping[str, str] = {
    "energy_wh": "Wh at the data-centre meter",
    "it_energy_wh": "Wh at the server",
    "co2e_grams": "gCO2e",
    "co2e_operational_grams": "gCO2e",
    "co2e_embodied_grams": "gCO2e",
    "water_liters": "L",
    "primary_energy_mj": "MJ of primary energy (cumulative energy demand)",
    "abiotic_depletion_kgsbeq": "kg Sb eq (depletion of minerals and metals, ADPe)",
    "co2e_market_based_grams": "gCO2e of electricity by suppliers' own figures, in no total",
}

_OF_SECOND = ("energy_wh", "co2e_grams")


def report_document(report: Report) -> dict[str, Any]:
    """Return a report as its JSON document, in full precision."""
    coverage = report.coverage
    return {
        "period": {"from": report.period.start, "to": report.period.end},
        "as_of": report.as_of,
        "tenant": report.tenant,
        "totals": _totals(report.totals),
        "by": list(report.by),
        "groups": [{**group.keys, **_totals(group.totals)} for group in report.groups],
        "coverage": {name: getattr(coverage, name) for name in coverage.__dataclass_fields__ if name != "not_covered"},
        "not_covered": dict(coverage.not_covered),
        "confidence_share": dict(report.confidence_share),
        "factor_sets": list(report.factor_sets),
        "grid_sources": list(report.grid_sources),
        "reversed": {"lines": report.taken_back.lines, "co2e_grams": report.taken_back.co2e_grams},
        "equivalents": dict(report.equivalents),
        "units": dict(_UNITS),
        "notes": list(report.notes),
        "sentence": report.sentence,
        "sci": None if report.sci is None else _sci(report.sci),
        "second_set": None if report.second_set is None else _second(report.second_set),
        "where": dict(report.where),
        "accounting": [_fields(entry) for entry in report.inventory],
        "market_based": None if report.market_based is None else _fields(report.market_based),
        "foundations": [_fields(foundation) for foundation in report.foundations],
        "sources": [asdict(source) for source in report.sources],
        "equivalents_rest_on": [
            {**asdict(thing), "citation": source.citation, "url": source.url, "date": source.date}
            for thing, source in report.compared_with
        ],
    }


def report_csv(report: Report) -> str:
    """Return a report as CSV: one row per group, or one row in all. Units are in the column names.

    Figures of a second set have columns of their own, at the end.
    """
    second = report.second_set
    rows = [(group.keys, group.totals, group.places) for group in report.groups]
    if not report.by:
        rows = [({}, report.totals, report.places)]
    others: Sequence[SecondGroup] = () if second is None else second.groups if report.by else (second.totals,)
    columns = [*(f"{name}_{bound}" for name in QUANTITIES for bound in BOUNDS), "accounting"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    more = [] if second is None else [f"second_{name}_{bound}" for name in _OF_SECOND for bound in BOUNDS]
    named = [] if second is None else ["second_factor_set"]
    writer.writerow(["period_from", "period_to", *report.by, "calls", *TOKENS, *MEDIA, *columns, *named, *more])
    for index, (keys, totals, places) in enumerate(rows):
        numbers = [totals.calls, *(getattr(totals, name) for name in (*TOKENS, *MEDIA))]
        bounds = [value for name in QUANTITIES for value in _bounds(getattr(totals, name))]
        names = [keys.get(name) or "" for name in report.by]
        beside = [] if second is None else [second.factor_set, *_second_bounds(others[index])]
        writer.writerow([report.period.start, report.period.end, *names, *numbers, *bounds, " ".join(places), *beside])
    return buffer.getvalue()


def _second_bounds(group: SecondGroup) -> list[float | None]:
    return [value for name in _OF_SECOND for value in _bounds(getattr(group, name))]


def _sci(sci: Sci) -> dict[str, Any]:
    return _fields(sci) | {"units": [_fields(unit) for unit in sci.units]}


def _second(second: SecondSet) -> dict[str, Any]:
    return {
        "factor_set": second.factor_set,
        "title": second.title,
        "warning": second.warning,
        "totals": _second_group(second.totals),
        "groups": [{**group.keys, **_second_group(group)} for group in second.groups],
        "answered_by": dict(second.answered_by),
        "not_estimated_calls": second.not_estimated_calls,
        "why": second.why,
    }


def _second_group(group: SecondGroup) -> dict[str, Any]:
    return {
        "calls": group.calls,
        "energy_wh": _interval(group.energy_wh),
        "co2e_grams": _interval(group.co2e_grams),
        "ratio": group.ratio,
    }


def _totals(totals: Totals) -> dict[str, Any]:
    quantities = {name: _interval(getattr(totals, name)) for name in QUANTITIES}
    return {"calls": totals.calls, **{name: getattr(totals, name) for name in (*TOKENS, *MEDIA)}, **quantities}


def _fields(value: Any) -> dict[str, Any]:
    """Return a frozen value as a dict: intervals as dicts, tuples as lists."""
    found = {name: getattr(value, name) for name in value.__dataclass_fields__}
    return {
        name: _interval(field) if isinstance(field, Interval) else list(field) if isinstance(field, tuple) else field
        for name, field in found.items()
    }


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else dict(zip(BOUNDS, _bounds(interval), strict=True))  # type: ignore[arg-type]


def _bounds(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if interval is None else (interval.low, interval.central, interval.high)
