"""The dialect table as lookup structures, built once and read for every span."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import translate
from functools import lru_cache
from typing import Any

from otel_carbon.spans.media import MediaKeys
from otel_carbon.spans.table import COUNTS, Accounting, Dialect, DialectTable
from otel_carbon.spans.values import host, text

__all__ = ["CompiledDialect", "CompiledTable"]

_REMEMBERED = 1024  # scopes, providers and hosts come from outside, so what is remembered of them is bounded

_Test = Callable[[str], object]


class CompiledDialect:
    """One dialect with its candidate keys as plain attributes, which are faster to reach than entries of a mapping."""

    __slots__ = (
        "cache_read_tokens",
        "cache_write_tokens",
        "calls",
        "input_tokens",
        "known",
        "markers",
        "media",
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
        "service_tier",
        "without_operation",
    )

    def __init__(self, dialect: Dialect) -> None:
        fields = dialect.fields
        self.markers = dialect.markers
        self.calls = dialect.calls
        self.parents = dialect.parents
        self.known = dialect.parents.union(dialect.calls)
        self.without_operation = dialect.without_operation
        self.operations = fields["operation"]
        self.provider = fields["provider"]
        self.request_model = fields["request_model"]
        self.response_model = fields["response_model"]
        self.response_id = fields["response_id"]
        self.service_tier = fields["service_tier"]
        self.server_address = fields["server_address"]
        self.region = fields["region"]
        self.input_tokens = fields["input_tokens"]
        self.output_tokens = fields["output_tokens"]
        self.cache_read_tokens = fields["cache_read_tokens"]
        self.cache_write_tokens = fields["cache_write_tokens"]
        self.reasoning_tokens = fields["reasoning_tokens"]
        self.media = MediaKeys.of(fields)

    def operation(self, attributes: Mapping[str, Any]) -> str:
        """Return the first operation that the dialect knows, else the first there is, else an empty text."""
        unknown = ""
        for key in self.operations:
            value = attributes.get(key)
            if isinstance(value, str) and value in self.known:
                return value
            name = (text(value) or "").lower()
            if name in self.known:
                return name
            unknown = unknown or name
        return unknown


class _Emitter:
    """What is known of the counts of one scope and provider: settled answers, and rows that look further at a span."""

    __slots__ = ("_conditional", "_settled")

    def __init__(self, rows: Iterable[Accounting]) -> None:
        cache: bool | None = None
        reasoning: bool | None = None
        conditional: list[tuple[_Test | None, Accounting]] = []
        for row in rows:
            # A row speaks only of what no row before it has settled.
            row_cache = row.cache_in_input if cache is None else None
            row_reasoning = row.reasoning_in_output if reasoning is None else None
            if row_cache is None and row_reasoning is None:
                continue
            if row.models or row.keys:
                undecided = replace(row, cache_in_input=row_cache, reasoning_in_output=row_reasoning)
                conditional.append((_globs(row.models), undecided))
                continue
            cache = row_cache if cache is None else cache
            reasoning = row_reasoning if reasoning is None else reasoning
        self._settled = (cache, reasoning is not False)
        self._conditional = tuple(reversed(conditional))

    def accounting(self, model: str | None, attributes: Mapping[str, Any]) -> tuple[bool | None, bool]:
        cache, reasoning = self._settled
        for models, row in self._conditional:  # the best row comes last and has the last word
            if models is not None and (model is None or not models(model.lower())):
                continue
            if all(key in attributes for key in row.keys):
                cache = cache if row.cache_in_input is None else row.cache_in_input
                reasoning = reasoning if row.reasoning_in_output is None else row.reasoning_in_output
        return cache, reasoning


class CompiledTable:
    """Finds the dialect, the provider and the accounting of a span."""

    def __init__(self, table: DialectTable) -> None:
        self._providers = {name.lower(): value for name, value in table.providers.items()}
        self._refined_by_host = table.refined_by_host
        self._host_suffixes = table.host_suffixes
        self._dialects = [(_globs(dialect.scopes), CompiledDialect(dialect)) for dialect in table.dialects]
        self._rows = [(_globs(row.scopes), row) for row in table.accounting]
        self.markers = frozenset(marker for dialect in table.dialects for marker in dialect.markers)
        self.keys = self.markers.union(
            *(keys for dialect in table.dialects for keys in dialect.fields.values()),
            *(row.keys for row in table.accounting),
        )
        self.count_keys = frozenset(
            key for dialect in table.dialects for field in COUNTS for key in dialect.fields[field]
        )
        self.id_keys = frozenset(key for dialect in table.dialects for key in dialect.fields["response_id"])
        self._dialects_of = lru_cache(_REMEMBERED)(self._find_dialects)
        self._emitter_of = lru_cache(_REMEMBERED)(self._find_emitter)
        self.provider_named = lru_cache(_REMEMBERED)(self._find_provider)
        """Return the convention's name of a provider, or None for a framework that poses as one."""
        self.address = lru_cache(_REMEMBERED)(self._find_address)
        """Return the host of a server address and the provider that it belongs to."""

    def dialect(self, scope_name: str, attributes: Mapping[str, Any]) -> CompiledDialect | None:
        """Return the first dialect that accepts the scope and has a marker on the span."""
        for dialect in self._dialects_of(scope_name):
            for marker in dialect.markers:
                if marker in attributes:
                    return dialect
        return None

    def refined(self, provider: str | None, provider_of_host: str) -> str:
        """Return who serves the model, given who is named and whose host it is."""
        return provider_of_host if provider is None or provider in self._refined_by_host else provider

    def accounting(
        self, scope_name: str, provider: str | None, model: str | None, attributes: Mapping[str, Any]
    ) -> tuple[bool | None, bool]:
        """Return whether the cache is inside the input (None: nothing tells) and reasoning inside the output."""
        return self._emitter_of(scope_name, provider).accounting(model, attributes)

    def _find_dialects(self, scope_name: str) -> tuple[CompiledDialect, ...]:
        return tuple(dialect for scopes, dialect in self._dialects if scopes is None or scopes(scope_name))

    def _find_emitter(self, scope_name: str, provider: str | None) -> _Emitter:
        return _Emitter(
            row
            for scopes, row in self._rows
            if (scopes is None or scopes(scope_name)) and (not row.providers or provider in row.providers)
        )

    def _find_provider(self, name: str) -> str | None:
        known = (text(name) or "").lower()
        return self._providers.get(known, known) or None

    def _find_address(self, address: str) -> tuple[str | None, str | None]:
        name = host(address)
        suffix = name or ""
        while suffix:
            if suffix in self._host_suffixes:
                return name, self._host_suffixes[suffix]
            suffix = suffix.partition(".")[2]
        return name, None


def _globs(patterns: Sequence[str]) -> _Test | None:
    """Return a test whether a text matches one of the globs, or None where there are none."""
    return re.compile("|".join(translate(pattern) for pattern in patterns)).match if patterns else None
