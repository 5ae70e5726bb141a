"""Statements that multiply tokens by the row and the place in the cache, and write the result on the span.

Bounds need a root and an exponential, which OTTL lacks. Both are calculated from + - * / to far more digits than are
claimed: the root of a^2 + b^2 by Newton's method from (a + b) * 0.85, which is within 20 % of it, so that four steps
leave nothing; the exponential by its series at a sixteenth, to the power of sixteen.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.collector.dialects import LEAVE
from otel_carbon.collector.matching import KINDS
from otel_carbon.collector.ottl import attribute, cache, number, put, text
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
    OTEL_CARBON_FACTOR_ID,
    OTEL_CARBON_FACTOR_MATCH,
    OTEL_CARBON_FACTOR_SET,
    OTEL_CARBON_GRID_INTENSITY_G_PER_KWH,
    OTEL_CARBON_GRID_PERIOD_START,
    OTEL_CARBON_GRID_QUALITY,
    OTEL_CARBON_GRID_SOURCE,
    OTEL_CARBON_GRID_ZONE,
    OTEL_CARBON_REGION_NAME,
    OTEL_CARBON_REGION_SOURCE,
    OTEL_CARBON_STATUS,
)

__all__ = ["CLAIMED", "CLAIMED_BY_THE_HOUR", "amount_statements", "root_and_exponential"]

_ROW, _PLACE = cache("row"), cache("place")
_OK = f"{cache('ok')} == true"
_NEWTON_STEPS = 4
_FIRST_GUESS = 0.85
_SERIES_TERMS = 11
_PART = 16.0
_LOWEST_RATIO = 50.0  # low counts as at least central / 50, as in `Interval`

_ORIGIN = {
    OTEL_CARBON_REGION_NAME: (_PLACE, "name"),
    OTEL_CARBON_GRID_ZONE: (_PLACE, "zone"),
    OTEL_CARBON_GRID_INTENSITY_G_PER_KWH: (_PLACE, "g"),
    OTEL_CARBON_REGION_SOURCE: (_PLACE, "source"),
    OTEL_CARBON_FACTOR_SET: (_ROW, "set"),
    OTEL_CARBON_FACTOR_ID: (_ROW, "id"),
    OTEL_CARBON_FACTOR_MATCH: (_ROW, "match"),
    OTEL_CARBON_CONFIDENCE: (_ROW, "confidence"),
}
_PERIOD = {
    OTEL_CARBON_GRID_SOURCE: (_PLACE, "grid_source"),
    OTEL_CARBON_GRID_PERIOD_START: (_PLACE, "period_start"),
    OTEL_CARBON_GRID_QUALITY: (_PLACE, "quality"),
}
_QUANTITIES = {
    "e": (OTEL_CARBON_ENERGY_WH, OTEL_CARBON_ENERGY_WH_LOW, OTEL_CARBON_ENERGY_WH_HIGH),
    "c": (OTEL_CARBON_CO2E_GRAMS, OTEL_CARBON_CO2E_GRAMS_LOW, OTEL_CARBON_CO2E_GRAMS_HIGH),
}
CLAIMED = (
    OTEL_CARBON_STATUS,
    *(key for keys in _QUANTITIES.values() for key in keys),
    OTEL_CARBON_CO2E_EMBODIED_GRAMS,
    *_ORIGIN,
)
"""The attributes that the statements write, with the values that the gateway writes, to six significant digits."""

CLAIMED_BY_THE_HOUR = (*CLAIMED, *_PERIOD)
"""The same where intensities by the hour are known."""


def amount_statements(*, by_the_hour: bool) -> Iterator[str]:
    """Yield the statements that calculate and write."""
    ready = [f"{LEAVE} == nil", f"{cache('call')} == true", f"{cache('usage')} == true"]
    yield put(cache("ok"), "true", *ready, f"{_ROW} != nil", f"{_PLACE} != nil")
    yield put(cache("wh"), _energy("c"), _OK)
    yield put(cache("wh_low"), _energy("l"), _OK)
    yield put(cache("wh_high"), _energy("h", "more"), _OK)
    yield put(cache("wh_more"), _energy("c", "more"), _OK)
    yield put(cache("ok"), "false", _OK, f"{cache('wh')} <= 0.0")  # the factor says nothing of such tokens
    yield put(
        cache("wh_low"),
        f"{cache('wh')} / {number(_LOWEST_RATIO)}",
        _OK,
        f"{cache('wh_low')} < {cache('wh')} / {number(_LOWEST_RATIO)}",
    )
    yield put(cache("below"), f"Log({cache('wh')} / {cache('wh_low')})", _OK)
    yield put(cache("above"), f"Log({cache('wh_high')} / {cache('wh_more')})", _OK)
    for name, (central, low, high) in _QUANTITIES.items():
        ratio = f'{_PLACE}["{name}"]'
        yield put(attribute(central), f"{cache('wh')} * {ratio}", _OK)
        yield from root_and_exponential(cache("below"), f'{_PLACE}["{name}b"]')
        yield put(attribute(low), f"{cache('wh')} * {ratio} / {cache('exp')}", _OK)
        yield from root_and_exponential(cache("above"), f'{_PLACE}["{name}a"]')
        yield put(attribute(high), f"{cache('wh_more')} * {ratio} * {cache('exp')}", _OK)
    yield put(attribute(OTEL_CARBON_CO2E_EMBODIED_GRAMS), f'{cache("wh")} * {_PLACE}["emb"]', _OK)
    for key, (path, part) in (_ORIGIN | (_PERIOD if by_the_hour else {})).items():  # what is not there is not set
        yield put(attribute(key), f"{path}[{text(part)}]", _OK)
    two_readings = f"{cache('more')} != {cache('uncached')}"
    yield put(attribute(OTEL_CARBON_CONFIDENCE), text(Confidence.LOW.value), _OK, two_readings)
    yield put(attribute(OTEL_CARBON_STATUS), text("estimated"), _OK)
    none = [f"{LEAVE} == nil", f"{cache('call')} == true", f"{cache('usage')} != true"]
    yield put(attribute(OTEL_CARBON_STATUS), text("failed"), *none, f"{cache('failed')} == true")
    yield put(attribute(OTEL_CARBON_STATUS), text("no_usage"), *none, f"{cache('failed')} != true")


def _energy(bound: str, uncached: str = "uncached") -> str:
    tokens = (uncached, *KINDS[1:])
    return " + ".join(f'{cache(kind)} * {_ROW}["{bound}{index}"]' for index, kind in enumerate(tokens))


def root_and_exponential(first: str, second: str) -> Iterator[str]:
    """Yield the statements that leave exp(sqrt(first^2 + second^2)) in the cache."""
    square, root, small, power = cache("square"), cache("root"), cache("small"), cache("exp")
    yield put(square, f"{first} * {first} + {second} * {second}", _OK)
    yield put(root, f"({first} + {second}) * {number(_FIRST_GUESS)}", _OK)
    for _ in range(_NEWTON_STEPS):
        yield put(root, f"({root} + {square} / {root}) * {number(0.5)}", _OK, f"{root} > 0.0")
    yield put(small, f"{root} / {number(_PART)}", _OK)
    series = number(1.0)
    for term in range(_SERIES_TERMS, 0, -1):
        series = f"{number(1.0)} + {small} / {number(float(term))} * ({series})"
    yield put(power, series, _OK)
    for _ in range(2):  # to the power of 16
        yield put(power, f"{power} * {power} * {power} * {power}", _OK)
