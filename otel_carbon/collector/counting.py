"""Statements that read the token counts of a span, into kinds that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.collector.dialects import DIALECT, DIALECTS, LEAVE, LEAVE_NOT, candidates, scope_is
from otel_carbon.collector.ottl import all_of, any_of, attribute, cache, from_glob, is_match, put, words
from otel_carbon.spans import DialectTable
from otel_carbon.spans.rules import Accounting
from otel_carbon.spans.values import MAX_TOKENS

__all__ = ["counting_statements"]

_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
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
        for key, dialects in candidates(table, field):
            yield put(count, attribute(key), f"{count} == nil", dialects, f"{attribute(key)} != nil")
        real = all_of([f"IsInt({count})", f"{count} >= 0", f"{count} <= {MAX_TOKENS}"])
        yield put(LEAVE, "true", f"{count} != nil", f"not {real}")
    given = any_of([f"{cache('input_tokens')} != nil", f"{cache('output_tokens')} != nil"])
    yield put(cache("usage"), "true", LEAVE_NOT, given)
    for field in _COUNTS:
        yield put(cache(field), "0", f"{cache(field)} == nil")
    everything = " + ".join(cache(field) for field in _COUNTS)
    yield put(cache("usage"), "false", LEAVE_NOT, f"{cache('usage')} == true", f"{everything} == 0")
    yield put(LEAVE, "true", f"{cache('unnamed')} == true", f"{cache('usage')} == false")


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
    cached, parts = "cached", "parts"
    yield put(cache(cached), f"{cache('cache_read_tokens')} + {cache('cache_write_tokens')}", LEAVE_NOT)
    some = f"{cache(cached)} + {cache('reasoning_tokens')} > 0"
    yield put(cache(parts), "true", LEAVE_NOT, some)
    for row in table.accounting:
        if row.dialects and row.dialects.isdisjoint(DIALECTS):
            continue
        for name, said in (("inside", row.cache_in_input), ("outside", row.reasoning)):
            if said is not None:
                value = said if name == "inside" else said == "outside"
                unset = f"{cache(name)} == nil"
                yield put(cache(name), str(value).lower(), f"{cache(parts)} == true", unset, *_holds(row))


def _holds(row: Accounting) -> Iterator[str]:
    if row.scopes:
        yield scope_is(row.scopes)
    if row.dialects:
        yield is_match(DIALECT, words(row.dialects))
    if row.providers:
        yield is_match(cache("provider"), words(row.providers))
    if row.models:
        yield is_match(cache("m1"), "|".join(from_glob(model) for model in row.models))
    for key in row.keys:
        yield f"{attribute(key)} != nil"


def _token_kinds() -> Iterator[str]:
    """Yield statements that make kinds of tokens that do not overlap, as floats.

    `more` is the uncached input of the other reading, where nothing tells whether the cache is in the input.
    """
    given, output = cache("input_tokens"), cache("output_tokens")
    reasoning, cached = cache("reasoning_tokens"), cache("cached")
    counted = f"{cache('usage')} == true"
    yield put(cache("more"), f"Double({given})", counted)
    contained = [counted, f"{cached} > 0", f"{given} >= {cached}"]
    yield put(cache("uncached"), f"Double({given})", counted)
    yield put(cache("uncached"), f"Double({given} - {cached})", f"{cache('inside')} == nil", *contained)
    yield put(cache("uncached"), f"Double({given} - {cached})", f"{cache('inside')} == true", *contained)
    yield put(cache("more"), cache("uncached"), counted, f"{cache('inside')} != nil")
    yield put(cache("visible"), f"Double({output})", counted)
    inside_output = [
        counted,
        f"{reasoning} <= {output}",
        any_of([f"{cache('outside')} == nil", f"{cache('outside')} == false"]),
    ]
    yield put(cache("visible"), f"Double({output} - {reasoning})", *inside_output)
    for name, field in (
        ("read", "cache_read_tokens"),
        ("write", "cache_write_tokens"),
        ("reasoning", "reasoning_tokens"),
    ):
        yield put(cache(name), f"Double({cache(field)})", counted)
