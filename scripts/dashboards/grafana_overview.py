"""The dashboard that comes first."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_panels import Page, Panel, Row
from grafana_queries import (
    FILTERS,
    MODEL,
    PER_HOUR,
    RANGE,
    RATE,
    SELECTOR,
    coverage,
    interval,
    net,
    summed,
    tokens,
)

from otel_carbon.factors import FactorTables
from otel_carbon.factors.equivalents import DEFAULT_EQUIVALENTS

__all__ = ["OVERVIEW"]

_BUCKETS = summed(f"rate(otel_carbon_operation_co2e_grams_bucket{SELECTOR}[{RATE}])", "le")
_EQUIVALENTS = FactorTables.bundled().equivalents[DEFAULT_EQUIVALENTS]


def _equivalents() -> Sequence[Panel]:
    shown = {"car_km": "km of an average US petrol car", "phone_charge": "smartphone charges"}
    return [
        Panel(
            text,
            "stat",
            "short",
            [(f"({query}) / {_EQUIVALENTS[key].grams_per_unit!r}", name) for query, name in interval("co2e")],
            f"{_EQUIVALENTS[key].grams_per_unit:g} {_EQUIVALENTS[key].unit} ({_EQUIVALENTS[key].source_id}). A picture "
            "of the grams, not a measure of its own.",
        )
        for key, text in shown.items()
    ]


_INTERVAL_NOTE = (
    "Low and high are an approximate 90 % interval; bounds add up, since what is not known of a model is not known of "
    "all of its calls. Calls that the ledger took back are left out."
)

OVERVIEW = Page(
    "otel-carbon-overview",
    "GenAI carbon: overview",
    "Emissions, energy, calls and tokens of GenAI calls, with their intervals and their coverage.",
    FILTERS,
    [
        Panel("Emissions (gCO2e)", "stat", "massg", interval("co2e"), _INTERVAL_NOTE, 10),
        Panel("Energy (Wh)", "stat", "watth", interval("energy"), f"At the data-centre meter. {_INTERVAL_NOTE}", 10),
        Panel(
            "Coverage",
            "stat",
            "percentunit",
            [(coverage(RANGE), "estimated")],
            "Share of the completed calls that have an estimate. The others are missing from every sum here.",
            4,
        ),
        Panel("Calls", "stat", "short", [(net("calls"), "calls")], "Completed calls, each once.", 6),
        Panel("Tokens", "stat", "short", [(tokens(""), "tokens")], "All kinds, none counted twice.", 6),
        *[Panel(one.title, one.kind, one.unit, one.queries, one.meaning, 6) for one in _equivalents()],
        Panel("gCO2e per hour", "series", "massg", interval("co2e", RATE, PER_HOUR), _INTERVAL_NOTE, is_band=True),
        Panel("Wh per hour", "series", "watth", interval("energy", RATE, PER_HOUR), _INTERVAL_NOTE, is_band=True),
        Panel(
            "gCO2e per hour by model",
            "series",
            "massg",
            [(f"topk(10, {net('co2e', MODEL, RATE)}{PER_HOUR})", f"{{{{{MODEL}}}}}")],
            "The ten largest, central values.",
        ),
        Panel(
            "Tokens per second by kind",
            "series",
            "short",
            [
                (
                    summed(f"rate(otel_carbon_tokens_total{SELECTOR}[{RATE}])", "otel_carbon_token_kind"),
                    "{{otel_carbon_token_kind}}",
                )
            ],
            "Kinds do not overlap: their sum is all tokens.",
        ),
        Row("Single calls"),
        Panel(
            "gCO2e of a call (exemplars open the trace)",
            "series",
            "massg",
            [
                (
                    f"histogram_quantile({q}, {_BUCKETS})",
                    f"p{q * 100:g}",
                )
                for q in (0.5, 0.95)
            ],
            "Needs `histogram: true` of the carbon_metrics connector.",
            has_exemplars=True,
        ),
        Panel(
            "Calls above 1 g",
            "table",
            "massg",
            [
                (
                    "{ span.otel_carbon.co2e_grams > 1 } | select(span.otel_carbon.co2e_grams)",
                    "",
                )
            ],
            "TraceQL on Tempo, which gets the spans from the gateway.",
            asks_tempo=True,
        ),
        Panel(
            "gCO2e by model, from spans",
            "series",
            "massg",
            [("{ } | sum_over_time(span.otel_carbon.co2e_grams) by (span.gen_ai.response.model)", "")],
            "TraceQL metrics: a second way to the same sum where Tempo has every span.",
            24,
            asks_tempo=True,
        ),
    ],
)
