"""Statements that name who is stated to serve the model: by the host first, then by what is written.

They leave `provider` and `host` in the cache, written as the convention writes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.collector.dialects import LEAVE, LEAVE_NOT
from otel_carbon.collector.ottl import (
    any_of,
    cache,
    ends_with,
    is_match,
    is_one_of,
    joined,
    looked_up,
    lower,
    put,
    replace,
    text,
)
from otel_carbon.spans import DialectTable

__all__ = ["serving_statements"]

_PROVIDER, _HOST, _OWNER, _DOTTED = cache("provider"), cache("host"), cache("owner"), cache("dotted")
_CLEAN_HOST = "^[a-z0-9._-]+$"


def serving_statements(table: DialectTable) -> Iterator[str]:
    """Yield the statements, for a span whose names have been read."""
    yield from _stated_provider(table)
    yield from _bare_host()
    yield from _owner_of_the_host(table)


def _stated_provider(table: DialectTable) -> Iterator[str]:
    yield put(_PROVIDER, lower(_PROVIDER), f"{_PROVIDER} != nil", LEAVE_NOT)
    names = {name.lower(): value for name, value in table.providers.items()}
    endings = "|".join(sorted(each.removeprefix(".") for each in table.provider_suffixes))
    yield replace(
        _PROVIDER, rf"^(.+)\.(?:{endings})$", "${1}", f"{_PROVIDER} != nil", f"not {is_one_of(_PROVIDER, names)}"
    )
    written = {name: value for name, value in names.items() if name != value}
    yield put(_PROVIDER, looked_up(written, _PROVIDER), is_one_of(_PROVIDER, written))
    yield put(LEAVE, "true", f'{_PROVIDER} == ""')  # a framework, which serves no model


def _bare_host() -> Iterator[str]:
    """Yield statements that take a host out of an address, where it is not one already."""
    odd = f"{cache('address')} == true"
    yield put(_HOST, lower(_HOST), f"{_HOST} != nil", LEAVE_NOT)
    yield put(cache("address"), "true", f"{_HOST} != nil", LEAVE_NOT, f"not {is_match(_HOST, _CLEAN_HOST)}")
    yield replace(_HOST, "^.*://", "", odd)
    yield replace(_HOST, "/.*$", "", odd)
    yield replace(_HOST, "^.*@", "", odd)
    yield replace(_HOST, "^([^:]*):[^:]*$", "${1}", odd)
    yield put(LEAVE, "true", odd, f"not {is_match(_HOST, _CLEAN_HOST)}")


def _owner_of_the_host(table: DialectTable) -> Iterator[str]:
    """Yield statements that say whose a host is, and let that refine what is written."""
    owners = table.host_suffixes
    yield put(_OWNER, looked_up(owners, _HOST), is_one_of(_HOST, owners))
    yield put(_DOTTED, joined(text("."), _HOST), f"{_OWNER} == nil", f"{_HOST} != nil", LEAVE_NOT)
    for suffix in sorted(owners, key=lambda each: not any(each.endswith(f".{other}") for other in owners)):
        ends = ends_with(_DOTTED, f".{suffix}")
        yield put(_OWNER, text(owners[suffix]), f"{_OWNER} == nil", f"{_DOTTED} != nil", ends)
    refined = any_of([f"{_PROVIDER} == nil", is_one_of(_PROVIDER, table.refined_by_host)])
    yield put(_PROVIDER, _OWNER, f"{_OWNER} != nil", refined)
