"""Statements that read a span: its dialect, whether it is a call, and its names.

What they leave in the cache: `leave` (not for this config), `call`, `failed`, `region`, `caller`, and the raw names of
the models, `m1` of the one that answered and `m2` of another one that was asked for. `serving` adds who serves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_carbon.collector.dialects import (
    DIALECT,
    DIALECTS,
    LEAVE,
    LEAVE_NOT,
    candidates,
    put_first,
    read_dialects,
    scope_is,
)
from otel_carbon.collector.ottl import all_of, any_of, attribute, cache, is_match, is_one_of, lower, put, text
from otel_carbon.spans import DialectTable
from otel_carbon.spans.media import MADE_BY_ITEM
from otel_carbon.spans.rules import Dialect
from otel_carbon.spans.values import MAX_TEXT

__all__ = ["PLAIN", "group_condition", "is_plain", "reading_statements"]


_CALL, _OPERATION = cache("call"), cache("op")
PLAIN = "^[!-~]+(?: +[!-~]+)*$"
"""A text that needs no trimming and no cleaning."""
_NAMES = {
    "provider": "provider",
    "host": "server_address",
    "region": "region",
    "m1": "response_model",
    "m2": "request_model",
}


def group_condition(table: DialectTable) -> str:
    """Return the condition of a span that is GenAI-related, that is read, and that no earlier stage has marked."""
    markers = sorted({marker for dialect in read_dialects(table) for marker in dialect.markers})
    seen = any_of(f"{attribute(marker)} != nil" for marker in markers)
    ids = 'span.trace_id.string != "00000000000000000000000000000000" and span.span_id.string != "0000000000000000"'
    return f"{attribute('otel_carbon.status')} == nil and {seen} and not {_is_left_alone(table)} and {ids}"


def reading_statements(table: DialectTable) -> Iterator[str]:
    """Yield the statements that read a span."""
    for dialect in read_dialects(table):
        yield put(DIALECT, text(dialect.name), _speaks(dialect, dialect.markers))
    yield from _operation(table)
    yield from _texts(table)
    yield put("span.cache", '{"leave": true}', f"{LEAVE} == true")  # so that no statement meets a value of another type


def _is_left_alone(table: DialectTable) -> str:
    """Return the condition of a span in a dialect or a scope whose spans are not read."""
    others = [dialect for dialect in table.dialects if dialect.name not in DIALECTS]
    odd = [scope for row in table.wrappers for scope in row.scopes]
    odd += [scope for row in table.guesses for scope in row.scopes]
    odd += [scope for row in table.hard_coded_hosts for scope in row.scopes]
    odd += [
        scope
        for row in table.accounting
        if row.reasoning in {"rest_of_total", "added_twice"} and not row.dialects
        for scope in row.scopes
    ]
    return any_of([*(_speaks(dialect, _own_markers(table, dialect)) for dialect in others), scope_is(odd)])


def _own_markers(table: DialectTable, dialect: Dialect) -> tuple[str, ...]:
    """Return the markers that tell a dialect from those that are read; with a scope of its own, any does."""
    common = {marker for each in read_dialects(table) for marker in each.markers}
    return dialect.markers if dialect.scopes else tuple(each for each in dialect.markers if each not in common)


def _speaks(dialect: Dialect, markers: Sequence[str]) -> str:
    seen = any_of(f"{attribute(marker)} != nil" for marker in markers)
    return all_of([scope_is(dialect.scopes), seen]) if dialect.scopes else seen


def _operation(table: DialectTable) -> Iterator[str]:
    """Yield statements that read the operation: the first one that the dialect knows, else the first one."""
    keys = candidates(table, "operation")
    for key, dialects in keys:
        yield put(LEAVE, "true", f"{attribute(key)} != nil", dialects, f"not {is_plain(attribute(key))}")
    for key, _ in keys:
        for dialect in read_dialects(table):
            if key in dialect.fields["operation"]:
                yield put(_OPERATION, lower(attribute(key)), *_is_operation(dialect, key))
    for key, dialects in keys:
        unread = [f"{_OPERATION} == nil", LEAVE_NOT]
        yield put(_OPERATION, lower(attribute(key)), *unread, f"{attribute(key)} != nil", dialects)
    for dialect in read_dialects(table):
        here = f"{DIALECT} == {text(dialect.name)}"
        calls = [name for name, recorded in dialect.calls.items() if recorded not in MADE_BY_ITEM]
        items = [name for name, recorded in dialect.calls.items() if recorded in MADE_BY_ITEM]
        yield put(_CALL, "true", here, is_one_of(_OPERATION, calls))
        yield put(LEAVE, "true", here, is_one_of(_OPERATION, [*items, *dialect.parents]))
        if dialect.without_operation:
            yield put(_CALL, "true", here, f"{_OPERATION} == nil")


def _is_operation(dialect: Dialect, key: str) -> Iterator[str]:
    yield from (f"{_OPERATION} == nil", f"{DIALECT} == {text(dialect.name)}", LEAVE_NOT, f"{attribute(key)} != nil")
    if len(set(dialect.fields["operation"])) > 1:
        yield is_one_of(lower(attribute(key)), [*dialect.calls, *dialect.parents])


def is_plain(path: str) -> str:
    """Return the condition of a name that is read as it is written."""
    return f"(IsString({path}) and {is_match(path, PLAIN)} and Len({path}) <= {MAX_TEXT})"


def _texts(table: DialectTable) -> Iterator[str]:
    for name, field in _NAMES.items():
        yield from put_first(cache(name), table, field)
        yield put(LEAVE, "true", f"{cache(name)} != nil", f"not {is_plain(cache(name))}")
    caller = 'resource.attributes["cloud.region"]'
    yield put(LEAVE, "true", f"{caller} != nil", f"not {is_plain(caller)}")
    yield put(cache("caller"), lower(caller), f"{caller} != nil", LEAVE_NOT)
    yield put(cache("unnamed"), "true", f"{_CALL} == nil", LEAVE_NOT, _looks_like_a_call(table))
    yield put(_CALL, "true", f"{cache('unnamed')} == true")
    yield put(cache("region"), lower(cache("region")), f"{cache('region')} != nil", LEAVE_NOT)
    # The model that answered goes first; the one that was asked for is looked at where it is another.
    yield put(cache("m1"), cache("m2"), f"{cache('m1')} == nil", f"{cache('m2')} != nil")
    yield f'delete_key(span.cache, "m2") where {cache("m1")} == {cache("m2")}'
    yield put(cache("m1"), text(""), f"{cache('m1')} == nil")
    yield put(cache("m1"), lower(cache("m1")), LEAVE_NOT)
    yield put(cache("m2"), lower(cache("m2")), f"{cache('m2')} != nil", LEAVE_NOT)
    yield put(cache("failed"), "true", f"(span.status.code == STATUS_CODE_ERROR or {attribute('error.type')} != nil)")


def _looks_like_a_call(table: DialectTable) -> str:
    """Return the condition of a span with an operation that nobody knows, and with what a request to a model has."""
    counts = [key for field in ("input_tokens", "output_tokens") for key, _ in candidates(table, field)]
    return all_of(
        [
            any_of(f"{attribute(key)} != nil" for key in counts),
            any_of([f"{cache('m1')} != nil", f"{cache('m2')} != nil"]),
            any_of(["span.kind == SPAN_KIND_UNSPECIFIED", "span.kind == SPAN_KIND_CLIENT"]),
        ]
    )
