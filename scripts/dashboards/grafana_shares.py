"""Dashboards that say where emissions come from, and what was saved."""

from __future__ import annotations

from grafana_panels import Page, Panel, Row
from grafana_queries import (
    CALLS,
    FILTERS,
    MODEL,
    PER_HOUR,
    RANGE,
    RATE,
    REGION,
    SELECTOR,
    TENANT,
    cached,
    net,
    summed,
    tokens,
)

__all__ = ["BY_MODEL", "BY_REGION", "BY_TENANT", "CACHE"]

_PER_1000 = 1000
BY_MODEL = Page(
    "otel-carbon-models",
    "GenAI carbon: by model",
    "Which models emissions come from, and what a call or a thousand tokens of each takes.",
    FILTERS,
    [
        Panel(
            "gCO2e",
            "bars",
            "massg",
            [(f"sort_desc({net('co2e', MODEL)})", f"{{{{{MODEL}}}}}")],
            "Net, central values.",
        ),
        Panel(
            "Wh",
            "bars",
            "watth",
            [(f"sort_desc({net('energy', MODEL)})", f"{{{{{MODEL}}}}}")],
            "Net, central values.",
        ),
        Panel(
            "gCO2e per call",
            "bars",
            "massg",
            [(f"{net('co2e', MODEL)} / ({net('calls', MODEL)} > 0)", f"{{{{{MODEL}}}}}")],
            "Mean of a call. A model with long answers is not a worse one.",
        ),
        Panel(
            "Wh per 1000 output tokens",
            "bars",
            "watth",
            [
                (
                    f"{net('energy', MODEL)} * {_PER_1000} / ({tokens(MODEL, 'visible_output|reasoning')} > 0)",
                    f"{{{{{MODEL}}}}}",
                )
            ],
            "Input is in the energy, so that a model with long prompts stands higher.",
        ),
        Panel("Calls", "bars", "short", [(net("calls", MODEL), f"{{{{{MODEL}}}}}")], "Completed calls, each once."),
        Panel(
            "Tokens",
            "bars",
            "short",
            [(tokens(f"{MODEL}, otel_carbon_token_kind"), f"{{{{{MODEL}}}}} {{{{otel_carbon_token_kind}}}}")],
            "By kind.",
        ),
        Panel(
            "gCO2e per hour",
            "series",
            "massg",
            [(f"{net('co2e', MODEL, RATE)}{PER_HOUR}", f"{{{{{MODEL}}}}}")],
            "Net, central values.",
            24,
        ),
        Panel(
            "Bounds of the sums (gCO2e)",
            "table",
            "massg",
            [
                (summed(f"increase(otel_carbon_co2e_{bound}grams_total{SELECTOR}[{RANGE}])", MODEL), name)
                for bound, name in (("low_", "low"), ("", "central"), ("high_", "high"))
            ],
            "Of all spans that were counted, before the ledger took any back.",
            24,
        ),
    ],
)

_PARTY = f"{TENANT}, otel_carbon_project"
_PARTY_LEGEND = f"{{{{{TENANT}}}}} {{{{otel_carbon_project}}}}"
BY_TENANT = Page(
    "otel-carbon-tenants",
    "GenAI carbon: by tenant and project",
    "Who emissions are accounted to. Needs `metrics_attributes: [tenant, project]` of the carbon_metrics connector.",
    FILTERS,
    [
        Panel("gCO2e by tenant", "bars", "massg", [(net("co2e", TENANT), f"{{{{{TENANT}}}}}")], "Net, central values."),
        Panel("gCO2e by project", "bars", "massg", [(net("co2e", _PARTY), _PARTY_LEGEND)], "Net, central values."),
        Panel("Wh by tenant", "bars", "watth", [(net("energy", TENANT), f"{{{{{TENANT}}}}}")], "Net, central values."),
        Panel(
            "Calls by project", "bars", "short", [(net("calls", _PARTY), _PARTY_LEGEND)], "Completed calls, each once."
        ),
        Panel(
            "gCO2e per hour by project",
            "series",
            "massg",
            [(f"{net('co2e', _PARTY, RATE)}{PER_HOUR}", _PARTY_LEGEND)],
            "Net, central values.",
            24,
        ),
        Row("Budgets: dashboards/prometheus/budgets.yml"),
        Panel(
            "Budget of 30 days used",
            "bars",
            "percentunit",
            [("otel_carbon_tenant:co2e_budget_used:ratio30d", f"{{{{{TENANT}}}}}")],
            "From the recording rules, to the last full hour.",
        ),
        Panel(
            "Pace (1 uses up the budget exactly)",
            "series",
            "short",
            [("otel_carbon_tenant:co2e_budget_burn:ratio1h", f"{{{{{TENANT}}}}}")],
            "From the recording rules.",
        ),
    ],
)

_ZONE = "otel_carbon_grid_zone"
_GRID_G = summed(f"rate(otel_carbon_grid_co2e_grams_total[{RATE}])", _ZONE)
_GRID_J = summed(f"rate(otel_carbon_grid_energy_joules_total[{RATE}])", _ZONE)
_GRID_WH = f"increase(otel_carbon_grid_energy_joules_total[{RANGE}]) / 3600"
BY_REGION = Page(
    "otel-carbon-regions",
    "GenAI carbon: by region and grid",
    "Where calls ran, as far as anything tells, and how clean the electricity was there.",
    ((REGION, CALLS), *FILTERS),
    [
        Panel("gCO2e by region", "bars", "massg", [(net("co2e", REGION), f"{{{{{REGION}}}}}")], "Net, central values."),
        Panel("Wh by region", "bars", "watth", [(net("energy", REGION), f"{{{{{REGION}}}}}")], "Net, central values."),
        Panel(
            "Grid intensity (g/kWh)",
            "series",
            "short",
            [(f"{_GRID_G} * 3.6e6 / ({_GRID_J} > 0)", f"{{{{{_ZONE}}}}}")],
            "The mean that was applied, weighted by energy. Life cycle, location-based.",
        ),
        Panel(
            "Wh by grid zone",
            "bars",
            "watth",
            [(summed(_GRID_WH, _ZONE), f"{{{{{_ZONE}}}}}")],
            "All spans that were counted.",
        ),
        Panel(
            "Energy by quality of the intensity",
            "bars",
            "watth",
            [(summed(_GRID_WH, "otel_carbon_grid_quality"), "{{otel_carbon_grid_quality}}")],
            "carried_forward and yearly: no figure of the hour was known. Without a label none was asked for.",
        ),
        Panel(
            "Share without a figure of its hour",
            "series",
            "percentunit",
            [("otel_carbon:grid_stale:ratio1h", "stale")],
            "From the recording rules; where hourly figures are asked for.",
        ),
    ],
)

CACHE = Page(
    "otel-carbon-cache",
    "GenAI carbon: cache savings",
    "What the providers' prompt caches saved.",
    FILTERS,
    [
        Panel(
            "Avoided gCO2e",
            "stat",
            "massg",
            [(summed(f"increase(otel_carbon_cache_avoided_co2e_grams_total{SELECTOR}[{RANGE}])"), "avoided")],
            "What the same calls would have emitted in addition with every token read anew. No measurement of cached "
            "tokens is published: the estimate takes a tenth of an input token, 0.02 to 0.5.",
            8,
        ),
        Panel(
            "Avoided Wh",
            "stat",
            "watth",
            [
                (
                    summed(f"increase(otel_carbon_cache_avoided_energy_joules_total{SELECTOR}[{RANGE}])") + " / 3600",
                    "avoided",
                )
            ],
            "Likewise.",
            8,
        ),
        Panel(
            "Input from the cache",
            "stat",
            "percentunit",
            [(cached(), "cached")],
            "Share of the input tokens.",
            8,
        ),
        Panel(
            "Avoided gCO2e by model",
            "bars",
            "massg",
            [
                (
                    summed(f"increase(otel_carbon_cache_avoided_co2e_grams_total{SELECTOR}[{RANGE}])", MODEL),
                    f"{{{{{MODEL}}}}}",
                )
            ],
            "Central values.",
        ),
        Panel(
            "Input from the cache by model",
            "bars",
            "percentunit",
            [
                (
                    cached(MODEL),
                    f"{{{{{MODEL}}}}}",
                )
            ],
            "Share of the input tokens.",
        ),
    ],
)
