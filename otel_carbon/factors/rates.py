"""Energy per token kind of one row, with what the row leaves out filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.constants import Constants, times_divided
from otel_carbon.factors.files import interval, number
from otel_carbon.factors.plausible import check_plausible
from otel_carbon.factors.rows import TokenRates
from otel_carbon.model import Confidence, Interval

__all__ = ["token_rates"]

_ZERO = Interval.exact(0.0)


def token_rates(
    where: str, row: Mapping[str, Any], head: Mapping[str, Any], confidence: Confidence, constants: Constants
) -> TokenRates:
    """Return Wh per million tokens of each kind.

    A plain number gets bounds by confidence, at least those that the set asks for (`min_bounds_factor`). What is
    missing follows from the rest: cached input = input x 0.1 (0.02-0.5), cache write = input, reasoning = output x
    1.2 (1.0-1.5). A row without an output factor (embeddings) handles every token once, as input.

    Raises:
        FactorError: a value is malformed.
    """
    bounds_factor = constants.bounds_factor[confidence]
    if "min_bounds_factor" in head:
        bounds_factor = max(bounds_factor, number(f"{where}, [set]", "min_bounds_factor", head["min_bounds_factor"]))

    def given(key: str) -> Interval | None:
        value = row.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            found = interval(where, key, value)
        else:
            found = times_divided(number(where, key, value), bounds_factor)
        check_plausible(where, key, found.central)
        return found

    uncached = given("input_wh_per_1m")
    output = given("output_wh_per_1m")
    if uncached is None:
        raise FactorError(f"{where}: input_wh_per_1m is missing")
    cached_ratio = _ratio(where, head, "cached_input_factor", constants.cached_over_input_ratio)
    return TokenRates(
        uncached_input_wh_per_1m=uncached,
        cache_read_wh_per_1m=given("cached_input_wh_per_1m") or _bound_by_bound(uncached, cached_ratio),
        cache_write_wh_per_1m=given("cache_write_wh_per_1m") or uncached,
        visible_output_wh_per_1m=uncached if output is None else output,
        reasoning_wh_per_1m=given("reasoning_wh_per_1m") or _reasoning(where, row, output or uncached, constants),
    )


def _reasoning(where: str, row: Mapping[str, Any], output: Interval, constants: Constants) -> Interval:
    """Return the factor of reasoning tokens; zero where the published output figure already holds them."""
    if row.get("visible_output_only"):
        return _ZERO
    if "output_wh_per_1m" not in row:
        return output
    return _bound_by_bound(output, _ratio(where, row, "reasoning_over_output", constants.reasoning_over_output_ratio))


def _ratio(where: str, table: Mapping[str, Any], key: str, default: Interval) -> Interval:
    """Return a published ratio within the default bounds, which open as far as needed to hold it."""
    if key not in table:
        return default
    central = number(where, key, table[key])
    return Interval(min(default.low, central), central, max(default.high, central))


def _bound_by_bound(rate: Interval, ratio: Interval) -> Interval:
    """Return the product of two fully correlated quantities."""
    return Interval(rate.low * ratio.low, rate.central * ratio.central, rate.high * ratio.high)
