"""The provenance of a figure as plain text."""

from __future__ import annotations

from otel_carbon.cli.columns import aligned, significant
from otel_carbon.model import Interval
from otel_carbon.reports.provenance import Provenance

__all__ = ["provenance_text"]

_AGREES = {
    True: "the arithmetic gives the recorded figures, bounds included",
    False: "the arithmetic does NOT give the recorded figures: settings of the recording side, or an altered figure",
    None: "cannot be redone: there are no token counts",
}


def provenance_text(found: Provenance) -> str:
    """Return what a figure rests on, its arithmetic, and every publication with address, date and licence."""
    mark, redone = found.mark, found.redone
    head: list[tuple[str, str]] = [("of", found.of)]
    if mark.factor is not None:
        head.append(("factor", f"{mark.factor.id} of {mark.factor.set}, by {mark.factor.match}; {mark.confidence}"))
    if mark.region is not None:
        head.append(("region", f"{mark.region.name or 'none'}, by {mark.region.source}"))
    if mark.grid is not None and mark.grid.intensity_g_per_kwh is not None:
        head.append(("grid", f"{mark.grid.zone}, {mark.grid.intensity_g_per_kwh:g} g/kWh, {mark.grid.source}"))
    head += [("recorded", f"{_shown(mark.energy_wh, 'Wh')}, {_shown(mark.co2e_grams, 'gCO2e')} per call")]
    if redone is not None:
        head.append(("redone", f"{_shown(redone.energy_wh, 'Wh')}, {_shown(redone.co2e_grams, 'gCO2e')} per call"))
    head.append(("result", _AGREES[found.agrees]))
    parts = [aligned(head)]
    if found.steps:
        rows = [("step", "value", "unit", "source", "how")]
        rows += [(step.name, _value(step.value), step.unit, step.source_id or "", step.how) for step in found.steps]
        parts.append(aligned(rows))
    cited = [
        line
        for source in found.sources
        for line in (
            (source.id, source.citation),
            ("", source.url),
            ("", f"{source.date}; {source.licence}; {source.verification}"),
        )
    ]
    return "\n\n".join([*parts, "sources", aligned(cited)])


def _shown(value: Interval | None, unit: str) -> str:
    return f"{unit} not given" if value is None else f"{_value(value)} {unit}"


def _value(value: Interval | None) -> str:
    if value is None:
        return ""
    low, central, high = (significant(bound, 6) for bound in (value.low, value.central, value.high))
    return f"{central} ({low} - {high})"
