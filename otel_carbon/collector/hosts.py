"""Statements that say which known server a host is: who serves there, in which region or by which profile.

Hosts that a pattern spells out are looked up; only the others are compared with patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from otel_carbon.collector.ottl import cache, is_match, is_one_of, looked_up, merge, put, text
from otel_carbon.factors.sites import Host

__all__ = ["hosts_spelled_out", "server_statements"]

_PART = re.compile(r"\(\?:([a-z0-9.\\|-]+)\)(\??)|([a-z0-9-]|\\\.)")
_HOST, _PROVIDER, _SERVER = cache("host"), cache("served_by"), cache("server")


def server_statements(hosts: Sequence[Host]) -> Iterator[str]:
    """Yield the statements, which leave `served_by`, `host_profile` and `host_region` in the cache."""
    names = [name for host in hosts for name in hosts_spelled_out(host.pattern)]
    known = {name: _says(next(host for host in hosts if re.search(host.pattern, name))) for name in names}
    yield merge("span.cache", looked_up(known, _HOST), is_one_of(_HOST, known))
    patterns = [host for host in hosts if not hosts_spelled_out(host.pattern)]
    unknown = [f"{_HOST} != nil", f"{_PROVIDER} == nil", f"{_SERVER} == nil"]
    for number, host in enumerate(patterns):
        yield put(_SERVER, str(number), *unknown, is_match(_HOST, host.pattern))
    for number, host in enumerate(patterns):
        found = f"{_SERVER} == {number}"
        for key, value in _says(host).items():
            yield put(cache(key), text(value), found)
        if "(?P<region>" in host.pattern:
            yield put(cache("host_region"), f'ExtractPatterns({_HOST}, {text(host.pattern)})["region"]', found)


def hosts_spelled_out(pattern: str) -> list[str]:
    """Return the hosts that a pattern matches, where it names each; nothing where it has them in no number."""
    body = pattern.removeprefix("^").removesuffix("$")
    parts = list(_PART.finditer(body))
    if not (pattern.startswith("^") and pattern.endswith("$")) or sum(len(part[0]) for part in parts) != len(body):
        return []
    choices = [part[1].split("|") + [""] * bool(part[2]) if part[1] else [part[3]] for part in parts]
    return ["".join(chosen).replace("\\", "") for chosen in product(*choices)]


def _says(host: Host) -> dict[str, str]:
    return {"served_by": host.provider} | ({"host_profile": host.profile} if host.profile else {})
