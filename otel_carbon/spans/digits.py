"""Six significant digits, as a mark has them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import floor, log10
from typing import Any

__all__ = ["put_six_digits", "six_digits"]

# By the digits after the point, which may be negative: NaN, which fails every comparison, where it is not exact.
_POWERS_OF_TEN = (*(float(f"1e{digits}") for digits in range(23)), *[math.nan] * 640)
_WHOLE = 2.0**52 + 2.0**51  # floats as large as this one are whole numbers, so adding it rounds, half to even
_SURE = 0.5 - 1e-8  # a hundred times the rounding of a product below 1e6


def six_digits(value: float) -> float:
    """Return a quantity with six significant digits; what is none, negative or not a number, is zero."""
    return float(f"{value:.6g}") if value > 0.0 else 0.0


def put_six_digits(mark: dict[str, Any], keys: Iterable[str], values: Iterable[float]) -> None:
    """Put quantities under their keys as `six_digits` rounds them, in a third of the time.

    An exact power of ten makes a number with six digits before the point. The quotient of that number as a whole one
    and the power is the nearest float there is. Where the number is so near to the middle of two whole ones that
    rounding may have taken it across, and where the power is not exact, `round` decides.
    """
    for key, value in zip(keys, values, strict=False):
        if value > 0.0:
            digits = 5 - floor(log10(value))
            power = _POWERS_OF_TEN[digits]
            raised = value * power
            whole = raised + _WHOLE - _WHOLE
            mark[key] = whole / power if -_SURE < raised - whole < _SURE else round(value, digits)
        else:
            mark[key] = 0.0
