"""The sums behind one attribute set of the counters."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["TOKEN_KINDS", "AttributeSet", "Bounds", "Dimensions", "Quantities", "Sums", "Tokens"]

AttributeSet = tuple[tuple[str, str], ...]
"""The attributes of one sum, sorted by key."""
Dimensions = tuple[str | None, ...]
"""Their values, None for what is not known; empty for the set that takes what is beyond the limit."""
Bounds = tuple[float, float, float]
"""Central, low and high."""
Tokens = tuple[int, int, int, int, int]
"""In the order of the fields of `Usage`."""
Quantities = tuple[Bounds | None, Bounds | None, Tokens | None]
"""Energy in Wh, emissions in g and tokens of one call, as far as they are known."""

TOKEN_KINDS = ("cache_read", "cache_write", "reasoning", "uncached_input", "visible_output")


class Sums:
    """The sums of one attribute set. A group without a contribution is absent from the snapshot, not zero."""

    __slots__ = ("attributes", "calls", "co2e_grams", "dimensions", "energy_wh", "estimated_spans", "tokens")

    def __init__(self, dimensions: Dimensions, attributes: AttributeSet) -> None:
        self.dimensions = dimensions
        self.attributes = attributes
        self.clear()

    def clear(self) -> None:
        """Begin at zero."""
        self.estimated_spans = 0
        self.calls = 0.0
        self.co2e_grams: list[float] | None = None
        self.energy_wh: list[float] | None = None
        self.tokens: list[float] | None = None

    def add(self, quantities: Quantities, count: float) -> None:
        """Add what one call came to, as often as it counts. What is not known is left out."""
        wh, grams, tokens = quantities
        self.calls += count
        if grams is not None:
            self.co2e_grams = _added(self.co2e_grams, grams, count)
        if wh is not None:
            self.energy_wh = _added(self.energy_wh, wh, count)
        if tokens is not None:
            self._add_tokens(tokens, count)

    def add_again(self, quantities: Sequence[float], tokens: Sequence[int], count: float) -> None:
        """Add one estimated call as `add` does, and count its span.

        `quantities` begins with energy in Wh and emissions in g, each central, low and high; `tokens` is in the order
        of the fields of `Usage`.
        """
        wh, grams, sums = self.energy_wh, self.co2e_grams, self.tokens
        if wh is None or grams is None or sums is None:
            wh = self.energy_wh = wh or [0.0, 0.0, 0.0]
            grams = self.co2e_grams = grams or [0.0, 0.0, 0.0]
            sums = self.tokens = sums or [0.0] * len(TOKEN_KINDS)
        self.estimated_spans += 1
        self.calls += count
        wh[0] += quantities[0] * count
        wh[1] += quantities[1] * count
        wh[2] += quantities[2] * count
        grams[0] += quantities[3] * count
        grams[1] += quantities[4] * count
        grams[2] += quantities[5] * count
        uncached, read, write, visible, reasoning = tokens
        sums[3] += uncached * count
        sums[4] += visible * count
        if read or write or reasoning:
            sums[0] += read * count
            sums[1] += write * count
            sums[2] += reasoning * count

    def copy(self) -> Sums:
        """Return what the sums are now."""
        twin = Sums(self.dimensions, self.attributes)
        twin.estimated_spans = self.estimated_spans
        twin.calls = self.calls
        twin.co2e_grams = self.co2e_grams and self.co2e_grams.copy()
        twin.energy_wh = self.energy_wh and self.energy_wh.copy()
        twin.tokens = self.tokens and self.tokens.copy()
        return twin

    def _add_tokens(self, tokens: Tokens, count: float) -> None:
        sums = self.tokens
        if sums is None:
            sums = self.tokens = [0.0] * len(TOKEN_KINDS)
        uncached, read, write, visible, reasoning = tokens
        sums[3] += uncached * count
        sums[4] += visible * count
        if read or write or reasoning:
            sums[0] += read * count
            sums[1] += write * count
            sums[2] += reasoning * count


def _added(sums: list[float] | None, bounds: Bounds, count: float) -> list[float]:
    """Return sums, new ones where there are none, with the bounds of one call added in place."""
    if sums is None:
        sums = [0.0, 0.0, 0.0]
    sums[0] += bounds[0] * count
    sums[1] += bounds[1] * count
    sums[2] += bounds[2] * count
    return sums
