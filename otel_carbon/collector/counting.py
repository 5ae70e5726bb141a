"""Statements that read the token counts of a span, into kinds that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.collector.dialects import DIALECT, DIALECTS, LEAVE, LEAVE_NOT, candidates, put_first, scope_is
from otel_carbon.collector.ottl import all_of, any_of, attribute, cache, from_glob, is_match, is_one_of, put
from otel_carbon.spans import DialectTable
from otel_carbon.spans.rules import Accounting
from otel_carbon.spans.values import MAX_TOKENS

__all__ = ["counting_statements"]

_REASONING = "reasoning_tokens"
_SAY_USAGE = ("input_tokens", "output_tokens")
_PART_OF_OTHERS = ("cache_read_tokens", "cache_write_tokens", _REASONING)
_COUNTS = (*_SAY_USAGE, *_PART_OF_OTHERS)
_USAGE, _PARTS = cache("usage"), f"{cache('parts')} == true"
_MEDIA_TOKENS = ("image_input_tokens", "audio_input_tokens", "video_input_tokens")


def counting_statements(table: DialectTable) -> Iterator[str]:
    """Yield the statements, for a span whose names have been read."""
    yield from _counts(table)
    yield from _media(table)
    yield from _accounting(table)
    yield from _token_kinds()


def _counts(table: DialectTable) -> Iterator[str]:
    for field in _COUNTS:
        count = cache(field)
        yield from put_first(count, table, field, otherwise="" if field in _SAY_USAGE else "0")
        real = all_of([f"IsInt({count})", f"{count} >= 0", f"{count} <= {MAX_TOKENS}"])
        yield put(LEAVE, "true", f"{count} != nil", f"not {real}")
    yield put(_USAGE, "true", any_of(f"{cache(field)} != nil" for field in _SAY_USAGE), LEAVE_NOT)
    for field in _SAY_USAGE:
        yield put(cache(field), "0", f"{cache(field)} == nil")
    yield put(_USAGE, "false", *(f"{cache(field)} == 0" for field in _COUNTS), f"{_USAGE} == true")
    yield put(LEAVE, "true", f"{cache('unnamed')} == true", f"{_USAGE} == false")


def _media(table: DialectTable) -> Iterator[str]:
    """Yield statements that leave what is counted by the item, or has images or audio among its input."""
    for key, dialects in candidates(table, "output_type"):
        plain = all_of([f"IsString({attribute(key)})", f"not {is_match(attribute(key), '(?i)image')}"])
        yield put(LEAVE, "true", dialects, f"{attribute(key)} != nil", f"not {plain}")
    keys = [key for field in _MEDIA_TOKENS for key, _ in candidates(table, field)]
    yield put(LEAVE, "true", any_of(f"{attribute(key)} != nil" for key in keys))


def _accounting(table: DialectTable) -> Iterator[str]:
    """Yield statements that tell whether the cache is in the input count, and whether reasoning is beside the output.

    The first row that says so decides, as in the span reader.
    """
    some = any_of(f"{cache(field)} != 0" for field in _PART_OF_OTHERS)
    yield put(cache("parts"), "true", some, LEAVE_NOT)
    yield put(cache("cached"), f"{cache('cache_read_tokens')} + {cache('cache_write_tokens')}", _PARTS)
    for row in table.accounting:
        if row.dialects and row.dialects.isdisjoint(DIALECTS):
            continue
        for name, said in (("inside", row.cache_in_input), ("outside", row.reasoning)):
            if said is not None:
                value = said if name == "inside" else said == "outside"
                unset = f"{cache(name)} == nil"
                yield put(cache(name), str(value).lower(), _PARTS, unset, *_holds(row))


def _holds(row: Accounting) -> Iterator[str]:
    if row.scopes:
        yield scope_is(row.scopes)
    if row.dialects:
        yield is_one_of(DIALECT, row.dialects)
    if row.providers:
        yield is_one_of(cache("provider"), row.providers)
    if row.models:
        yield is_match(cache("m1"), "|".join(from_glob(model) for model in row.models))
    for key in row.keys:
        yield f"{attribute(key)} != nil"


def _token_kinds() -> Iterator[str]:
    """Yield statements that make kinds of tokens that do not overlap.

    `more` is the uncached input of the other reading, where nothing tells whether the cache is in the input.
    """
    given, output, reasoning, cached = (cache(name) for name in ("input_tokens", "output_tokens", _REASONING, "cached"))
    inside, outside, uncached, visible = (cache(name) for name in ("inside", "outside", "uncached", "visible"))
    yield put(cache("more"), given)
    yield put(uncached, given)
    is_or_may_be = any_of([f"{inside} == nil", f"{inside} == true"])
    yield put(uncached, f"{given} - {cached}", _PARTS, f"{cached} > 0", f"{given} >= {cached}", is_or_may_be)
    yield put(cache("more"), uncached, _PARTS, f"{inside} != nil")
    yield put(visible, output)
    is_or_may_be = any_of([f"{outside} == nil", f"{outside} == false"])
    yield put(visible, f"{output} - {reasoning}", _PARTS, f"{reasoning} <= {output}", is_or_may_be)
