"""Statements that multiply tokens by the row and the place in the cache, and write the result on the span.

Bounds need a root and an exponential, which OTTL lacks. With r the ratio of an energy and its bound, and b the spread
of the place, the bound of the product is further by r * exp(d), where d = sqrt(l^2 + b^2) - l and l = log(r). Both are
calculated from + - * / to far more digits than are claimed: the root by Newton's method from a quotient that is within
1.1 % of it, so that three steps leave nothing; the exponential of a quarter of d, which is at most b, as the quotient
of two polynomials of the fifth degree (Padé), to the power of four.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_carbon.collector.dialects import LEAVE
from otel_carbon.collector.ottl import attribute, cache, looked_up, merge, number, put, text
from otel_carbon.collector.places import PERIOD_MARKS, PLACE_MARKS
from otel_carbon.collector.rows import KINDS, ROW_MARKS, Rows
from otel_carbon.model import Confidence
from otel_carbon.semconv.carbon import (
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    OTEL_CARBON_CO2E_GRAMS,
    OTEL_CARBON_CO2E_GRAMS_HIGH,
    OTEL_CARBON_CO2E_GRAMS_LOW,
    OTEL_CARBON_CONFIDENCE,
    OTEL_CARBON_ENERGY_WH,
    OTEL_CARBON_ENERGY_WH_HIGH,
    OTEL_CARBON_ENERGY_WH_LOW,
    OTEL_CARBON_STATUS,
)

__all__ = ["CLAIMED", "CLAIMED_BY_THE_HOUR", "amount_statements", "root_and_exponential"]

_ROW, _PLACE = cache("rates"), cache("place")
_FACTOR = cache("factor")
_OK = f"{cache('ok')} == true"
_GUESS = 0.857  # the best one for (l^2 + b^2 + x*l*b) / (l + b)
_KEPT = ["ok", "place", "rates", "more", "parts", *KINDS]
_LOWEST_RATIO = 50.0  # low counts as at least central / 50, as in `Interval`

_QUANTITIES = {
    "e": (OTEL_CARBON_ENERGY_WH, OTEL_CARBON_ENERGY_WH_LOW, OTEL_CARBON_ENERGY_WH_HIGH),
    "c": (OTEL_CARBON_CO2E_GRAMS, OTEL_CARBON_CO2E_GRAMS_LOW, OTEL_CARBON_CO2E_GRAMS_HIGH),
}
CLAIMED = (
    OTEL_CARBON_STATUS,
    *(key for keys in _QUANTITIES.values() for key in keys),
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    *PLACE_MARKS,
    *ROW_MARKS,
)
"""The attributes that the statements write, with the values that the gateway writes, to six significant digits."""

CLAIMED_BY_THE_HOUR = (*CLAIMED, *PERIOD_MARKS)
"""The same where intensities by the hour are known."""


def amount_statements(rows: Rows) -> Iterator[str]:
    """Yield the statements that calculate and write, for the rows that were named."""
    yield put(cache("covered"), "true", f"{LEAVE} == nil", f"{cache('call')} == true", f"{cache('row')} != nil")
    covered = f"{cache('covered')} == true"
    yield from _without_usage(covered)
    yield put(cache("ok"), "true", covered, f"{cache('usage')} == true")
    yield put(_ROW, looked_up(rows.table(), cache("row")), _OK)
    yield f"keep_keys(span.cache, {json.dumps(_KEPT)}) where {_OK}"  # a cache is searched from its beginning
    yield from _energies()
    ok, wh, wh_low, wh_high, wh_more = (cache(name) for name in ("ok", "wh", "wh_low", "wh_high", "wh_more"))
    yield put(ok, "false", _OK, f"{wh} <= 0.0")  # the factor says nothing of such tokens
    lowest = f"{wh} / {number(_LOWEST_RATIO)}"
    yield put(wh_low, lowest, _OK, f"{wh_low} < {lowest}")
    yield put(cache("below"), f"Log({wh} / {wh_low})", _OK)
    yield put(cache("above"), f"Log({wh_high} / {wh_more})", _OK)
    power = f"({_FACTOR} * {_FACTOR} * {_FACTOR} * {_FACTOR})"
    for name, (central, low, high) in _QUANTITIES.items():
        ratio = f'{_PLACE}["{name}"]'
        yield put(attribute(central), f"{wh} * {ratio}", _OK)
        yield from root_and_exponential(cache("below"), f'{_PLACE}["{name}b"]')
        yield put(attribute(low), f"{wh_low} * {ratio} / {power}", _OK)
        yield from root_and_exponential(cache("above"), f'{_PLACE}["{name}a"]')
        yield put(attribute(high), f"{wh_high} * {ratio} * {power}", _OK)
    yield put(attribute(OTEL_CARBON_CO2E_EMBODIED_GRAMS), f'{wh} * {_PLACE}["emb"]', _OK)
    yield merge("span.attributes", f'{_PLACE}["marks"]', _OK)
    yield merge("span.attributes", f'{_ROW}["marks"]', _OK)
    two_readings = f"{cache('more')} != {cache('uncached')}"
    yield put(attribute(OTEL_CARBON_CONFIDENCE), text(Confidence.LOW.value), _OK, two_readings)
    yield put(attribute(OTEL_CARBON_STATUS), text("estimated"), _OK)


def _without_usage(covered: str) -> Iterator[str]:
    """Yield the statements that mark a call without usage."""
    none = [covered, f"{cache('usage')} != true"]
    yield put(attribute(OTEL_CARBON_STATUS), text("failed"), *none, f"{cache('failed')} == true")
    yield put(attribute(OTEL_CARBON_STATUS), text("no_usage"), *none, f"{cache('failed')} != true")


def _energies() -> Iterator[str]:
    """Yield the statements for IT energy: low, central, and both of the reading with more tokens."""
    wh, wh_low, wh_high, wh_more = (cache(name) for name in ("wh", "wh_low", "wh_high", "wh_more"))
    parts, more = f"{cache('parts')} == true", f"({cache('more')} - {cache('uncached')})"
    for path, bound in ((wh, "c"), (wh_low, "l"), (wh_high, "h")):
        yield put(path, _energy(bound, 0, 3), _OK)
        yield put(path, f"{path} + {_energy(bound, 1, 2, 4)}", _OK, parts)
    yield put(wh_more, wh, _OK)
    for path, bound in ((wh_high, "h"), (wh_more, "c")):
        yield put(path, f'{path} + {more} * {_ROW}["{bound}0"]', _OK, parts)


def _energy(bound: str, *kinds: int) -> str:
    return " + ".join(f'{cache(KINDS[kind])} * {_ROW}["{bound}{kind}"]' for kind in kinds)


def root_and_exponential(log_ratio: str, spread: str) -> Iterator[str]:
    """Yield the statements that leave the fourth root of exp(sqrt(log_ratio^2 + spread^2) - log_ratio) in the cache."""
    square, root, quarter, even, odd = (cache(name) for name in ("square", "root", "quarter", "even", "odd"))
    step = f"({root} + {square} / {root}) * {number(0.5)}"
    yield put(square, f"{log_ratio} * {log_ratio} + {spread} * {spread}", _OK)
    yield put(root, f"({square} + {number(_GUESS)} * {log_ratio} * {spread}) / ({log_ratio} + {spread})", _OK)
    yield put(root, step, _OK)
    yield put(root, step, _OK)
    yield put(quarter, f"({step} - {log_ratio}) * {number(0.25)}", _OK)
    yield put(even, f"{quarter} * {quarter}", _OK)
    yield put(odd, f"{quarter} * ({number(15120.0)} + {even} * ({number(420.0)} + {even}))", _OK)
    yield put(even, f"{number(30240.0)} + {even} * ({number(3360.0)} + {number(30.0)} * {even})", _OK)
    yield put(_FACTOR, f"({even} + {odd}) / ({even} - {odd})", _OK)
