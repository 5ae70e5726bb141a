"""PromQL over the counters of otel-carbon, as the dashboards ask it."""

from __future__ import annotations

__all__ = [
    "CALLS",
    "FILTERS",
    "MODEL",
    "PER_HOUR",
    "RANGE",
    "RATE",
    "REGION",
    "SELECTOR",
    "TENANT",
    "cached",
    "coverage",
    "interval",
    "net",
    "spans",
    "summed",
    "tokens",
]

MODEL, TENANT, REGION = "gen_ai_response_model", "otel_carbon_tenant", "otel_carbon_region_name"
CALLS = "otel_carbon_calls_total"
FILTERS = ((MODEL, CALLS), (TENANT, CALLS))
SELECTOR = f'{{{MODEL}=~"${MODEL}", {TENANT}=~"${TENANT}"}}'
RANGE, RATE = "$__range", "$__rate_interval"
PER_HOUR = " * 3600"
_COUNTERS = {
    "co2e": ("otel_carbon_co2e_grams_total", "otel_carbon_co2e_reversed_grams_total", 1),
    "energy": ("otel_carbon_energy_joules_total", "otel_carbon_energy_reversed_joules_total", 3600),
    "calls": (CALLS, "otel_carbon_calls_reversed_total", 1),
}


def grown(selector: str, over: str) -> str:
    """Return by how much a counter grew over the time shown, or grows per second where a line is drawn."""
    return f"{'rate' if over == RATE else 'increase'}({selector}[{over}])"


def summed(expression: str, by: str = "") -> str:
    """Return the sum over all series, or by labels."""
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def net(quantity: str, by: str = "", over: str = RANGE) -> str:
    """Return what is left of a counter after what the ledger took back, in g, Wh or calls."""
    counter, taken_back, per_unit = _COUNTERS[quantity]
    gross, back = (summed(grown(name + SELECTOR, over), by) for name in (counter, taken_back))
    net = f"({gross} - ({back} or 0 * {gross}))"
    return net if per_unit == 1 else f"{net} / {per_unit}"


def bound(quantity: str, bound: str, over: str = RANGE) -> str:
    """Return a bound of all calls, scaled to what is left after what the ledger took back."""
    counter, _, per_unit = _COUNTERS[quantity]
    of_all = summed(grown(counter.replace(f"{quantity}_", f"{quantity}_{bound}_", 1) + SELECTOR, over))
    scale = f"({net(quantity, over=over)}) / ({summed(grown(counter + SELECTOR, over))} / {per_unit} > 0)"
    return f"{of_all} / {per_unit} * {scale}"


def interval(quantity: str, over: str = RANGE, per: str = "") -> tuple[tuple[str, str], ...]:
    """Return the queries of low, central and high."""
    ends = ((bound(quantity, "low", over), "low"), (net(quantity, over=over), "central"))
    return tuple((f"({query}){per}", name) for query, name in (*ends, (bound(quantity, "high", over), "high")))


def spans(statuses: str, over: str = RANGE) -> str:
    """Return how many spans were marked with one of these statuses."""
    return summed(grown(f'otel_carbon_enriched_spans_total{{otel_carbon_status=~"{statuses}"}}', over))


def coverage(over: str) -> str:
    """Return which share of the completed calls has an estimate."""
    return f"{spans('estimated', over)} / ({spans('estimated|no_usage|unknown_model', over)} > 0)"


def tokens(by: str, kinds: str = ".*", over: str = RANGE) -> str:
    """Return the tokens of some kinds."""
    selector = SELECTOR.replace("}", f', otel_carbon_token_kind=~"{kinds}"}}')
    return summed(grown(f"otel_carbon_tokens_total{selector}", over), by)


def cached(by: str = "") -> str:
    """Return which share of the input tokens came from the cache."""
    return f"{tokens(by, 'cache_read')} / ({tokens(by, 'cache_read|cache_write|uncached_input')} > 0)"
