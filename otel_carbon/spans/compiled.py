"""The dialect table as lookup structures, built once and read for every span."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any

from otel_carbon.spans.table import Accounting, Dialect, DialectTable
from otel_carbon.spans.values import text

__all__ = ["CompiledDialect", "CompiledTable"]

_SCOPES_REMEMBERED = 1024  # scope names come from outside, so what is remembered of them is bounded


class CompiledDialect:
    """One dialect with its candidate keys as plain attributes, which are faster to reach than entries of a mapping."""

    __slots__ = (
        "cache_read_tokens",
        "cache_write_tokens",
        "calls",
        "input_tokens",
        "markers",
        "operations",
        "output_tokens",
        "parents",
        "provider",
        "reasoning_tokens",
        "region",
        "request_model",
        "response_id",
        "response_model",
        "server_address",
    )

    def __init__(self, dialect: Dialect) -> None:
        fields = dialect.fields
        self.markers = dialect.markers
        self.calls = dialect.calls
        self.parents = dialect.parents
        self.operations = fields["operation"]
        self.provider = fields["provider"]
        self.request_model = fields["request_model"]
        self.response_model = fields["response_model"]
        self.response_id = fields["response_id"]
        self.server_address = fields["server_address"]
        self.region = fields["region"]
        self.input_tokens = fields["input_tokens"]
        self.output_tokens = fields["output_tokens"]
        self.cache_read_tokens = fields["cache_read_tokens"]
        self.cache_write_tokens = fields["cache_write_tokens"]
        self.reasoning_tokens = fields["reasoning_tokens"]

    def marks(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether one of the markers is on the span."""
        for marker in self.markers:  # noqa: SIM110 - a generator costs as much as the whole loop
            if marker in attributes:
                return True
        return False

    def operation(self, attributes: Mapping[str, Any]) -> str:
        """Return the first operation that the dialect knows, else the first there is, else an empty text."""
        unknown = ""
        for key in self.operations:
            value = text(attributes.get(key))
            if value is None:
                continue
            value = value.lower()
            if value in self.calls or value in self.parents:
                return value
            unknown = unknown or value
        return unknown


class _Rule:
    """One accounting row whose scopes are known to match."""

    __slots__ = ("keys", "models", "providers", "row")

    def __init__(self, row: Accounting) -> None:
        self.row = row
        self.providers = row.providers
        self.models = _globs(row.models)
        self.keys = row.keys

    def holds(self, provider: str | None, model: str | None, attributes: Mapping[str, Any]) -> bool:
        if self.providers and provider not in self.providers:
            return False
        if self.models is not None and (model is None or not self.models(model.lower())):
            return False
        return all(key in attributes for key in self.keys)


class CompiledTable:
    """Finds the dialect, the provider and the accounting of a span."""

    def __init__(self, table: DialectTable) -> None:
        self._providers = {name.lower(): value for name, value in table.providers.items()}
        self._refined_by_host = table.refined_by_host
        self._host_suffixes = table.host_suffixes
        self._dialects = [(_globs(dialect.scopes), CompiledDialect(dialect)) for dialect in table.dialects]
        self._rules = [(_globs(row.scopes), _Rule(row)) for row in table.accounting]
        self.markers = frozenset(marker for dialect in table.dialects for marker in dialect.markers)
        self.keys = self.markers.union(
            *(keys for dialect in table.dialects for keys in dialect.fields.values()),
            *(row.keys for row in table.accounting),
        )
        self._of_scope = lru_cache(_SCOPES_REMEMBERED)(self._read_scope)
        self._of_host = lru_cache(_SCOPES_REMEMBERED)(self._read_host)

    def dialect(self, scope_name: str, attributes: Mapping[str, Any]) -> CompiledDialect | None:
        """Return the first dialect that has a marker on the span and accepts its scope."""
        for dialect in self._of_scope(scope_name)[0]:
            if dialect.marks(attributes):
                return dialect
        return None

    def provider(self, candidates: Sequence[str], address: str | None) -> str | None:
        """Return the first provider that is not a framework, by the convention's name, as the host refines it."""
        provider = None
        for candidate in candidates:
            name = candidate.lower()
            provider = self._providers.get(name, name) or None
            if provider is not None:
                break
        if address is not None and (provider is None or provider in self._refined_by_host):
            return self._of_host(address) or provider
        return provider

    def accounting(
        self, scope_name: str, provider: str | None, model: str | None, attributes: Mapping[str, Any]
    ) -> tuple[bool | None, bool]:
        """Return whether the cache is inside the input (None: nothing tells) and reasoning inside the output."""
        cache: bool | None = None
        reasoning: bool | None = None
        for rule in self._of_scope(scope_name)[1]:
            if rule.holds(provider, model, attributes):
                cache = rule.row.cache_in_input if cache is None else cache
                reasoning = rule.row.reasoning_in_output if reasoning is None else reasoning
        return cache, reasoning is not False

    def _read_scope(self, scope_name: str) -> tuple[tuple[CompiledDialect, ...], tuple[_Rule, ...]]:
        return (
            tuple(dialect for scopes, dialect in self._dialects if scopes is None or scopes(scope_name)),
            tuple(rule for scopes, rule in self._rules if scopes is None or scopes(scope_name)),
        )

    def _read_host(self, address: str) -> str | None:
        suffix = address
        while suffix:
            if suffix in self._host_suffixes:
                return self._host_suffixes[suffix]
            suffix = suffix.partition(".")[2]
        return None


def _globs(patterns: Sequence[str]) -> Any:
    """Return a test whether a text matches one of the globs, or None where there are none."""
    return re.compile("|".join(translate(pattern) for pattern in patterns)).match if patterns else None
