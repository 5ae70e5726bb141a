"""From the counts that a span carries to token kinds that do not overlap."""

from __future__ import annotations

from otel_carbon.model import Usage

__all__ = ["Tokens", "disjoint_tokens", "disjoint_usage", "settled_output", "tokens_of"]

Tokens = tuple[int, int, int, int, int]
"""Counts of the kinds that do not overlap, in the order of the fields of `Usage`."""


def disjoint_usage(  # noqa: PLR0917 - keywords would cost a tenth of reading a span
    input_count: int | None,
    output_count: int | None,
    cache_read: int,
    cache_write: int,
    reasoning: int,
    cache_in_input: bool | None,
    reasoning_in_output: bool,
) -> tuple[Usage | None, Usage | None]:
    """Return the usage and, where nothing tells whether the cache is inside the input count, the other reading.

    Neither an input nor an output count is no usage. Nor are counts that are all zero: no call has an empty prompt,
    and some emitters write zeros for a stream whose usage they did not see.
    """
    if input_count is None and output_count is None:
        return None, None
    given, output = input_count or 0, output_count or 0
    if not (given or output or cache_read or cache_write or reasoning):
        return None, None
    tokens, other = disjoint_tokens(
        given, output, cache_read, cache_write, reasoning, cache_in_input, reasoning_in_output
    )
    return Usage(*tokens), None if other is None else Usage(*other)


def disjoint_tokens(  # noqa: PLR0917 - keywords would cost a tenth of reading a span
    given: int,
    output: int,
    cache_read: int,
    cache_write: int,
    reasoning: int,
    cache_in_input: bool | None,
    reasoning_in_output: bool,
) -> tuple[Tokens, Tokens | None]:
    """Return the kinds that do not overlap and, where nothing tells whether the cache is inside, the other reading.

    A count that is larger than what should contain it proves that it is outside.
    """
    cached = cache_read + cache_write
    visible = output - reasoning if reasoning_in_output and reasoning <= output else output
    outside = (given, cache_read, cache_write, visible, reasoning)
    if cached == 0 or cache_in_input is False or given < cached:
        return outside, None
    inside = (given - cached, cache_read, cache_write, visible, reasoning)
    return inside, None if cache_in_input else outside


def settled_output(
    where: str, input_count: int | None, output_count: int | None, reasoning: int, total: int | None
) -> tuple[int | None, int, bool]:
    """Return output count, reasoning tokens and whether the one contains the other, by where an emitter puts them.

    `rest_of_total`: the total of all tokens contains what neither the input nor the output count does.
    `added_twice`: the emitter added the reasoning tokens to an output count that contained them.
    """
    if where == "rest_of_total" and not reasoning:
        rest = 0 if total is None else total - (input_count or 0) - (output_count or 0)
        return output_count, max(rest, 0), False
    if where == "added_twice" and output_count is not None and output_count >= 2 * reasoning:
        return output_count - reasoning, reasoning, True
    return output_count, reasoning, where in {"inside", "added_twice"}


def tokens_of(usage: Usage) -> Tokens:
    """Return the counts of a usage, in the order of its fields."""
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    return usage.uncached_input_tokens, read, write, usage.visible_output_tokens, usage.reasoning_tokens
