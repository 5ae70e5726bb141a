"""A GenAI span as a line that a person reads."""

from __future__ import annotations

import math

from otel_carbon.model import Interval, Mark, Sighting, Usage, believed_count, input_tokens, output_tokens

__all__ = ["call_details", "call_line", "three_digits"]


def call_line(sighting: Sighting) -> str:
    """Return model, tokens, energy, emissions, region and status of a call on one line."""
    call, mark = sighting.call, sighting.mark
    if call is None:
        return "not a call"
    parts = [
        call.model or call.request_model or "unnamed model",
        " ".join(filter(None, (call.operation, call.provider))),
        _tokens(call.usage),
    ]
    if mark is None:
        return "  ".join([*parts, "not enriched"])
    return "  ".join(filter(None, [*parts, *_footprint(mark), _place(mark), _status(mark)]))


def call_details(sighting: Sighting) -> list[str]:
    """Return what else is known of a call, a line each."""
    call, mark = sighting.call, sighting.mark
    lines = [f"trace {sighting.span.trace_id}  span {sighting.span.span_id}"]
    who = sighting.attribution
    named = {"service": who.service, "environment": who.environment, "tenant": who.tenant, "project": who.project}
    lines.append("  ".join(f"{name} {value}" for name, value in named.items() if value))
    if call is not None and call.usage is not None:
        lines.append(_token_kinds(call.usage))
    if mark is not None and mark.factor is not None:
        lines.append(f"factor {mark.factor.set} / {mark.factor.id} by {mark.factor.match}")
    if mark is not None and mark.co2e_embodied_grams is not None:
        lines.append(f"embodied {three_digits(mark.co2e_embodied_grams)} g CO2e")
    count = believed_count(sighting.adjusted_count)
    if count != 1.0:
        lines.append(f"stands for {three_digits(count)} calls, the others were not sampled")
    return [line for line in lines if line]


def three_digits(value: float) -> str:
    """Return a number with three significant digits, never with an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def _tokens(usage: Usage | None) -> str:
    if usage is None:
        return "no token counts"
    return f"{input_tokens(usage):,} in {output_tokens(usage):,} out"


def _token_kinds(usage: Usage) -> str:
    return (
        f"tokens: uncached input {usage.uncached_input_tokens:,}, cache read {usage.cache_read_tokens:,}, "
        f"cache write {usage.cache_write_tokens:,}, visible output {usage.visible_output_tokens:,}, "
        f"reasoning {usage.reasoning_tokens:,}"
    )


def _footprint(mark: Mark) -> list[str]:
    quantities = ((mark.energy_wh, "Wh"), (mark.co2e_grams, "g CO2e"))
    return [_interval(quantity, unit) for quantity, unit in quantities if quantity is not None]


def _interval(quantity: Interval, unit: str) -> str:
    low, central, high = (three_digits(value) for value in (quantity.low, quantity.central, quantity.high))
    return f"{central} {unit} ({low}–{high})"


def _place(mark: Mark) -> str:
    region = mark.region.name if mark.region is not None else None
    zone = mark.grid.zone if mark.grid is not None else None
    intensity = mark.grid.intensity_g_per_kwh if mark.grid is not None else None
    grid = None if intensity is None else f"{three_digits(intensity)} g/kWh"
    return " ".join(filter(None, (region, zone, grid)))


def _status(mark: Mark) -> str:
    return f"{mark.status} ({mark.confidence})" if mark.confidence else str(mark.status)
