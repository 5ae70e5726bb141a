"""Plain text in aligned columns, and numbers as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

__all__ = ["aligned", "scaled", "significant"]

_PREFIXES = ((1e-6, "M"), (1e-3, "k"), (1.0, ""), (1e3, "m"), (1e6, "µ"), (1e9, "n"))
_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return rows as lines with aligned columns; the columns in `right` are aligned to the right."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return _GAP.join(cells).rstrip()

    return "\n".join(map(line, rows))


def scaled(value: float) -> tuple[float, str]:
    """Return the factor and the SI prefix that bring a value to between 1 and 1000."""
    for scale, prefix in _PREFIXES:
        if value * scale >= 1.0:
            return scale, prefix
    return 1.0, ""


def significant(value: float, digits: int) -> str:
    """Return a value with so many significant digits, thousands grouped, without an exponent."""
    if value == 0.0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:,.{max(decimals, 0)}f}"
