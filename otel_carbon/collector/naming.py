"""Statements that take a raw model name apart, as `factors.names` does.

Of a name in the cache under `m1` they leave the bare name there, and under `m1_host` and `m1_profile` what its prefixes
say about who serves it and where. Resource names of Amazon and Vertex are left to a stage that can read them.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_carbon.collector.dialects import LEAVE
from otel_carbon.collector.ottl import (
    Rewrite,
    cache,
    is_match,
    is_one_of,
    joined,
    looked_up,
    put,
    re2_rewrite,
    replace,
    starts_with,
    text,
)
from otel_carbon.factors.names import NameRules

__all__ = ["UNREAD", "naming_statements"]

_SLASHES = 3  # a name with more prefixes than this is left alone
_PASSES = 2  # likewise one that still has endings to drop after so many passes
UNREAD = r"^arn:|(?:^|/)locations/|[*?\[\]]"
"""A resource name, or one that would be taken for a pattern."""
_REGION_PREFIX = r"^[a-z]{2}(?:-[a-z]+)+-\d/"


def naming_statements(name: str, rules: NameRules) -> Iterator[str]:
    """Yield the statements for the name in the cache under this key."""
    path, host, profile = cache(name), cache(f"{name}_host"), cache(f"{name}_profile")
    yield put(LEAVE, "true", is_match(path, UNREAD))
    yield from _prefixes(path, host, profile, rules)
    yield replace(path, "^ft:([^:]*).*$", "${1}")
    yield from _bedrock(name, path, host, profile, rules)
    yield from _endings(name, path, rules)


def _prefixes(path: str, host: str, profile: str, rules: NameRules) -> Iterator[str]:
    for prefix, provider in rules.paths.items():
        found = [f"{path} != nil", starts_with(path, prefix)]
        yield put(host, text(provider), f"{host} == nil", *found)
        yield replace(path, "^" + prefix, "", *found)
    head, more = cache("head"), f"{cache('head')} != nil"
    served = {name: provider for name, provider in rules.hosts.items() if provider}
    for _ in range(_SLASHES):
        yield 'delete_key(span.cache, "head")'
        yield put(head, f'Split({path}, "/")[0]', is_match(path, "/"))
        azure, bedrock = f'{host} == "azure.ai.openai"', f'{host} == "aws.bedrock"'
        yield put(profile, looked_up(rules.azure_zones, head), more, azure, is_one_of(head, rules.azure_zones))
        yield put(LEAVE, "true", more, bedrock, is_match(path, _REGION_PREFIX))
        yield put(host, looked_up(served, head), more, f"{host} == nil", is_one_of(head, served))
        yield replace(path, "^[^/]*/", "", more)
    yield put(LEAVE, "true", is_match(path, "/"))


def _bedrock(name: str, path: str, host: str, profile: str, rules: NameRules) -> Iterator[str]:
    """Yield the statements for Amazon Bedrock ids: `geo.vendor.model-v1:0`."""
    pattern = rules.bedrock_id.pattern
    is_id, is_geo = cache(f"{name}_bedrock"), cache(f"{name}_geo")
    geos, _, rest = pattern.removeprefix("^(?:(").partition(r")\.)?")
    yield put(is_id, "true", is_match(path, pattern))
    yield put(host, text("aws.bedrock"), f"{is_id} == true")
    yield put(is_geo, "true", f"{is_id} == true", is_match(path, rf"^(?:{geos})\.{rest}"))
    yield put(profile, joined(f'Split({path}, ".")[0]', text(".")), f"{is_geo} == true")
    yield replace(path, pattern, "${3}", f"{is_id} == true")
    for found, replacement in rules.bedrock_rewrites:
        yield _rewritten(path, re2_rewrite(found.pattern, replacement), f"{is_id} == true")


def _endings(name: str, path: str, rules: NameRules) -> Iterator[str]:
    rewrites = [re2_rewrite(found.pattern, replacement) for found, replacement in rules.rewrites]
    any_ending = is_match(path, "|".join(f"(?:{each.pattern})" for each in rewrites))
    again = cache(f"{name}_ending")
    for _ in range(_PASSES):
        yield put(again, "false", f"{path} != nil")
        yield put(again, "true", any_ending)
        for each in rewrites:
            yield _rewritten(path, each, f"{again} == true")
    yield put(LEAVE, "true", any_ending)


def _rewritten(path: str, rewrite: Rewrite, *conditions: str) -> str:
    unless = f"not {is_match(path, rewrite.unless)}" if rewrite.unless else ""
    return replace(path, rewrite.pattern, rewrite.replacement, *conditions, unless)
