"""A report as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from otel_carbon.ledger.columns import BOUNDS, QUANTITIES, TOKENS
from otel_carbon.model import Interval
from otel_carbon.reports.report import Report, Totals

__all__ = ["report_csv", "report_document"]

_UNITS: Mapping[str, str] = {
    "energy_wh": "Wh at the data-centre meter",
    "it_energy_wh": "Wh at the server",
    "co2e_grams": "gCO2e",
    "co2e_operational_grams": "gCO2e",
    "co2e_embodied_grams": "gCO2e",
    "water_liters": "L",
}


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
        "coverage": {name: getattr(coverage, name) for name in coverage.__dataclass_fields__},
        "confidence_share": dict(report.confidence_share),
        "factor_sets": list(report.factor_sets),
        "grid_sources": list(report.grid_sources),
        "reversed": {"lines": report.taken_back.lines, "co2e_grams": report.taken_back.co2e_grams},
        "equivalents": dict(report.equivalents),
        "units": dict(_UNITS),
        "notes": list(report.notes),
        "sentence": report.sentence,
    }


def report_csv(report: Report) -> str:
    """Return a report as CSV: one row per group, or one row in all. Units are in the column names."""
    rows = [(group.keys, group.totals) for group in report.groups] if report.by else [({}, report.totals)]
    columns = [f"{name}_{bound}" for name in QUANTITIES for bound in BOUNDS]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["period_from", "period_to", *report.by, "calls", *TOKENS, *columns])
    for keys, totals in rows:
        numbers = [totals.calls, *(getattr(totals, name) for name in TOKENS)]
        bounds = [value for name in QUANTITIES for value in _bounds(getattr(totals, name))]
        names = [keys.get(name) or "" for name in report.by]
        writer.writerow([report.period.start, report.period.end, *names, *numbers, *bounds])
    return buffer.getvalue()


def _totals(totals: Totals) -> dict[str, Any]:
    quantities = {name: _interval(getattr(totals, name)) for name in QUANTITIES}
    return {"calls": totals.calls, **{name: getattr(totals, name) for name in TOKENS}, **quantities}


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else dict(zip(BOUNDS, _bounds(interval), strict=True))  # type: ignore[arg-type]


def _bounds(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if interval is None else (interval.low, interval.central, interval.high)
