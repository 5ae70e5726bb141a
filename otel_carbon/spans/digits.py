"""Six significant digits, as a mark has them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import floor, log10

__all__ = ["six_digits"]

# By the digits after the point, which may be negative: NaN, which fails every comparison, where it is not exact.
_POWERS_OF_TEN = (*(float(f"1e{digits}") for digits in range(23)), *[math.nan] * 640)
_DOUBT = 1e-8  # a hundred times the rounding of a product below 1e6
_NO_DOUBT = 1.0 - _DOUBT


def six_digits(values: Iterable[float]) -> list[float]:
    """Return quantities as `float(f"{value:.6g}")` does, in a third of the time.

    An exact power of ten makes a number with six digits before the point. The quotient of that number as a whole one
    and the power is the nearest float there is. Where the number is so near to the middle of two whole ones that
    rounding may have taken it across, and where the power is not exact, `round` decides.
    """
    rounded: list[float] = []
    for value in values:
        if value > 0.0:
            digits = 5 - floor(log10(value))
            power = _POWERS_OF_TEN[digits]
            raised = value * power + 0.5
            whole = raised // 1.0
            value = whole / power if _DOUBT < raised - whole < _NO_DOUBT else round(value, digits)  # noqa: PLW2901
        else:
            value = 0.0  # noqa: PLW2901 - a second name would cost a tenth
        rounded.append(value)
    return rounded
