"""Statements that read a span: its dialect, whether it is a call, and its names.

What they leave in the cache: `leave` (not for this config), `call`, `failed`, `provider`, `host`, the raw
names `m1` and `m2`, and `region`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_carbon.collector.dialects import DIALECT, DIALECTS, LEAVE, LEAVE_NOT, candidates, read_dialects, scope_is
from otel_carbon.collector.ottl import all_of, any_of, attribute, cache, from_glob, is_match, put, replace, text, words
from otel_carbon.spans import DialectTable
from otel_carbon.spans.media import MADE_BY_ITEM
from otel_carbon.spans.rules import Dialect
from otel_carbon.spans.values import MAX_TEXT

__all__ = ["group_condition", "reading_statements"]


_CALL, _OPERATION = cache("call"), cache("op")
_PLAIN = "^[!-~]([ -~]*[!-~])?$"  # as text that needs no trimming and no cleaning
_NAMES = {
    "provider": "provider",
    "host": "server_address",
    "region": "region",
    "m1": "response_model",
    "m2": "request_model",
}


def group_condition(table: DialectTable) -> str:
    """Return the condition of a span that is GenAI-related and that no earlier stage has marked."""
    markers = sorted({marker for dialect in read_dialects(table) for marker in dialect.markers})
    seen = any_of(f"{attribute(marker)} != nil" for marker in markers)
    ids = 'span.trace_id.string != "00000000000000000000000000000000" and span.span_id.string != "0000000000000000"'
    return f"{attribute('otel_carbon.status')} == nil and {seen} and {ids}"


def reading_statements(table: DialectTable) -> Iterator[str]:
    """Yield the statements that read a span."""
    yield from _dialect(table)
    yield from _operation(table)
    yield from _texts(table)
    yield from _provider(table)


def _dialect(table: DialectTable) -> Iterator[str]:
    others = [dialect for dialect in table.dialects if dialect.name not in DIALECTS]
    yield put(LEAVE, "true", any_of(_speaks(dialect, _own_markers(table, dialect)) for dialect in others))
    odd = [scope for row in table.wrappers for scope in row.scopes]
    odd += [scope for row in table.guesses for scope in row.scopes]
    odd += [scope for row in table.hard_coded_hosts for scope in row.scopes]
    odd += [
        scope
        for row in table.accounting
        if row.reasoning in {"rest_of_total", "added_twice"} and not row.dialects
        for scope in row.scopes
    ]
    yield put(LEAVE, "true", scope_is(odd))
    for dialect in read_dialects(table):
        yield put(DIALECT, text(dialect.name), _speaks(dialect, dialect.markers))


def _own_markers(table: DialectTable, dialect: Dialect) -> tuple[str, ...]:
    """Return the markers that tell a dialect from those that are read; with a scope of its own, any does."""
    common = {marker for each in read_dialects(table) for marker in each.markers}
    return dialect.markers if dialect.scopes else tuple(each for each in dialect.markers if each not in common)


def _speaks(dialect: Dialect, markers: Sequence[str]) -> str:
    seen = any_of(f"{attribute(marker)} != nil" for marker in markers)
    return all_of([scope_is(dialect.scopes), seen]) if dialect.scopes else seen


def _operation(table: DialectTable) -> Iterator[str]:
    keys = candidates(table, "operation")
    for key, dialects in keys:
        yield put(LEAVE, "true", f"{attribute(key)} != nil", dialects, f"not {_is_plain(attribute(key))}")
    for key, _ in keys:
        for dialect in read_dialects(table):
            if key in dialect.fields["operation"]:
                known = is_match(f"ToLowerCase({attribute(key)})", words([*dialect.calls, *dialect.parents]))
                found = all_of([f"{attribute(key)} != nil", known])
                yield put(
                    _OPERATION,
                    f"ToLowerCase({attribute(key)})",
                    f"{_OPERATION} == nil",
                    LEAVE_NOT,
                    f"{DIALECT} == {text(dialect.name)}",
                    found,
                )
    for key, dialects in keys:
        yield put(
            _OPERATION,
            f"ToLowerCase({attribute(key)})",
            f"{_OPERATION} == nil",
            LEAVE_NOT,
            dialects,
            f"{attribute(key)} != nil",
        )
    for dialect in read_dialects(table):
        here = f"{DIALECT} == {text(dialect.name)}"
        calls = [name for name, recorded in dialect.calls.items() if recorded not in MADE_BY_ITEM]
        items = [name for name, recorded in dialect.calls.items() if recorded in MADE_BY_ITEM]
        yield put(_CALL, "true", here, is_match(_OPERATION, words(calls)))
        yield put(LEAVE, "true", here, is_match(_OPERATION, words([*items, *dialect.parents])))
        if dialect.without_operation:
            yield put(_CALL, "true", here, f"{_OPERATION} == nil")


def _is_plain(path: str) -> str:
    return f"(IsString({path}) and Len({path}) <= {MAX_TEXT} and {is_match(path, _PLAIN)})"


def _texts(table: DialectTable) -> Iterator[str]:
    for name, field in _NAMES.items():
        for key, dialects in candidates(table, field):
            yield put(cache(name), attribute(key), f"{cache(name)} == nil", dialects, f"{attribute(key)} != nil")
        yield put(LEAVE, "true", f"{cache(name)} != nil", f"not {_is_plain(cache(name))}")
    caller = 'resource.attributes["cloud.region"]'
    yield put(LEAVE, "true", f"{caller} != nil", f"not {_is_plain(caller)}")
    yield put(cache("caller"), f"ToLowerCase({caller})", LEAVE_NOT, f"{caller} != nil")
    yield put(cache("unnamed"), "true", LEAVE_NOT, f"{_CALL} == nil", _looks_like_a_call(table))
    yield put(_CALL, "true", f"{cache('unnamed')} == true")
    yield put(cache("region"), f"ToLowerCase({cache('region')})", LEAVE_NOT, f"{cache('region')} != nil")
    # The model that answered goes first; the one that was asked for is looked at where it is another.
    yield put(cache("m1"), cache("m2"), f"{cache('m1')} == nil", f"{cache('m2')} != nil")
    yield f'delete_key(span.cache, "m2") where {cache("m1")} == {cache("m2")}'
    yield put(cache("m1"), text(""), f"{cache('m1')} == nil")
    for name in ("m1", "m2"):
        yield put(cache(name), f"ToLowerCase({cache(name)})", LEAVE_NOT, f"{cache(name)} != nil")
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


def _provider(table: DialectTable) -> Iterator[str]:
    """Yield statements that name the provider as the convention does, by its host first, then by what is written."""
    provider, host = cache("provider"), cache("host")
    yield put(provider, f"ToLowerCase({provider})", LEAVE_NOT, f"{provider} != nil")
    names = {name.lower(): value for name, value in table.providers.items()}
    endings = "|".join(sorted(each.removeprefix(".") for each in table.provider_suffixes))
    yield replace(provider, rf"^(.+)\.(?:{endings})$", "${1}", f"not {is_match(provider, words(names))}")
    posing = [name for name, value in names.items() if not value]
    yield put(LEAVE, "true", is_match(provider, words(posing)))
    # A name that another one is written as must not be written as a third: the names that change go in one pass.
    yield put(cache("known"), provider, f"{provider} != nil")
    for value in sorted(set(names.values()) - {""}):
        written = [name for name, other in names.items() if other == value and name != value]
        if written:
            yield put(provider, text(value), is_match(cache("known"), words(written)))
    yield put(host, f"ToLowerCase({host})", LEAVE_NOT, f"{host} != nil")
    yield replace(host, "^.*://", "", f"{host} != nil")
    yield replace(host, "/.*$", "", f"{host} != nil")
    yield replace(host, "^.*@", "", f"{host} != nil")
    yield replace(host, "^([^:]*):[^:]*$", "${1}", f"{host} != nil")
    yield put(LEAVE, "true", f"{host} != nil", f"not {is_match(host, '^[a-z0-9._-]+$')}")
    owner, refines = cache("owner"), words(table.refined_by_host)
    for suffix in sorted(table.host_suffixes, key=lambda each: -len(each)):
        ends = is_match(host, from_glob(suffix).replace("^", "(?:^|[.])", 1))
        yield put(owner, text(table.host_suffixes[suffix]), f"{host} != nil", f"{owner} == nil", ends)
    yield put(provider, owner, f"{owner} != nil", any_of([f"{provider} == nil", is_match(provider, refines)]))
