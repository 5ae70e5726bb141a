"""Statements that multiply tokens by the row and the place in the cache, and write the result on the span.

Bounds need a root and an exponential, which OTTL lacks. With r the ratio of an energy and its bound, and b the spread
of the place, the bound of the product is further by r * exp(d), where d = sqrt(l^2 + b^2) - l and l = log(r). Both are
calculated from + - * / to far more digits than are claimed: the root by Newton's method from a quotient that is within
1.1 % of it, so that three steps leave nothing; the exponential of a quarter of d, which is at most b, as the quotient
of two polynomials of the fifth degree (Padé), to the power of four.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otel_carbon.collector.dialects import LEAVE_NOT
from otel_carbon.collector.handover import hand_over, take_over
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

__all__ = ["CLAIMED", "CLAIMED_BY_THE_HOUR", "amount_statements", "root_and_exponential", "status_statements"]

_ROW, _PLACE = cache("row"), cache("place")
_FACTOR = cache("factor")
_GUESS = 0.857  # the best one for (l^2 + b^2 + x*l*b) / (l + b)
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


def status_statements() -> Iterator[str]:
    """Yield the statements that mark a call without usage, and hand any other one over, where the config covers it."""
    covered, usage = f"{cache('covered')} == true", f"{cache('usage')} == true"
    yield put(cache("covered"), "true", LEAVE_NOT, f"{cache('call')} == true", f"{cache('row')} != nil")
    yield put(attribute(OTEL_CARBON_STATUS), text("failed"), covered, f"not ({usage})", f"{cache('failed')} == true")
    yield put(attribute(OTEL_CARBON_STATUS), text("no_usage"), covered, f"not ({usage})", f"{cache('failed')} == nil")
    yield hand_over(("row", "place", "more", "parts", *KINDS), covered, usage)


def amount_statements(rows: Rows, place: Iterable[str]) -> Iterator[str]:
    """Yield the statements that calculate and write, for the rows that were named; `place` are those for the place."""
    yield from take_over()
    yield from place
    yield put(_ROW, looked_up(rows.table(), _ROW))
    yield from _energies()
    wh, wh_low, wh_high, wh_more = (cache(name) for name in ("wh", "wh_low", "wh_high", "wh_more"))
    lowest = f"{wh} / {number(_LOWEST_RATIO)}"
    yield put(wh_low, lowest, f"{wh_low} < {lowest}")
    yield put(cache("below"), f"Log({wh} / {wh_low})")
    yield put(cache("above"), f"Log({wh_high} / {wh_more})")
    power = f"({_FACTOR} * {_FACTOR} * {_FACTOR} * {_FACTOR})"
    for name, (central, low, high) in _QUANTITIES.items():
        ratio = f'{_PLACE}["{name}"]'
        yield put(attribute(central), f"{wh} * {ratio}")
        yield from root_and_exponential(cache("below"), f'{_PLACE}["{name}b"]')
        yield put(attribute(low), f"{wh_low} * {ratio} / {power}")
        yield from root_and_exponential(cache("above"), f'{_PLACE}["{name}a"]')
        yield put(attribute(high), f"{wh_high} * {ratio} * {power}")
    yield put(attribute(OTEL_CARBON_CO2E_EMBODIED_GRAMS), f'{wh} * {_PLACE}["emb"]')
    yield merge("span.attributes", f'{_PLACE}["marks"]')
    yield merge("span.attributes", f'{_ROW}["marks"]')
    two_readings = f"{cache('more')} != {cache('uncached')}"
    yield put(attribute(OTEL_CARBON_CONFIDENCE), text(Confidence.LOW.value), two_readings)
    yield put(attribute(OTEL_CARBON_STATUS), text("estimated"))


def _energies() -> Iterator[str]:
    """Yield the statements for IT energy: low, central, and both of the reading with more tokens."""
    wh, wh_low, wh_high, wh_more = (cache(name) for name in ("wh", "wh_low", "wh_high", "wh_more"))
    parts, more = f"{cache('parts')} == true", f"({cache('more')} - {cache('uncached')})"
    for path, bound in ((wh, "c"), (wh_low, "l"), (wh_high, "h")):
        yield put(path, _energy(bound, 0, 3))
        yield put(path, f"{path} + {_energy(bound, 1, 2, 4)}", parts)
    yield put(wh_more, wh)
    for path, bound in ((wh_high, "h"), (wh_more, "c")):
        yield put(path, f'{path} + {more} * {_ROW}["{bound}0"]', parts)


def _energy(bound: str, *kinds: int) -> str:
    return " + ".join(f'{cache(KINDS[kind])} * {_ROW}["{bound}{kind}"]' for kind in kinds)


def root_and_exponential(log_ratio: str, spread: str) -> Iterator[str]:
    """Yield the statements that leave the fourth root of exp(sqrt(log_ratio^2 + spread^2) - log_ratio) in the cache."""
    square, root, quarter, even, odd = (cache(name) for name in ("square", "root", "quarter", "even", "odd"))
    step = f"({root} + {square} / {root}) * {number(0.5)}"
    yield put(square, f"{log_ratio} * {log_ratio} + {spread} * {spread}")
    yield put(root, f"({square} + {number(_GUESS)} * {log_ratio} * {spread}) / ({log_ratio} + {spread})")
    yield put(root, step)
    yield put(root, step)
    yield put(quarter, f"({step} - {log_ratio}) * {number(0.25)}")
    yield put(even, f"{quarter} * {quarter}")
    yield put(odd, f"{quarter} * ({number(15120.0)} + {even} * ({number(420.0)} + {even}))")
    yield put(even, f"{number(30240.0)} + {even} * ({number(3360.0)} + {number(30.0)} * {even})")
    yield put(_FACTOR, f"({even} + {odd}) / ({even} - {odd})")
