"""The dialect table as lookup structures, built once and read for every span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from otel_carbon.spans.emitter import Emitter, Get, Habits, Test, globs
from otel_carbon.spans.media import MediaKeys
from otel_carbon.spans.rules import COUNTS, FIELDS, Dialect
from otel_carbon.spans.structured import base_key, nested_paths
from otel_carbon.spans.table import DialectTable
from otel_carbon.spans.values import host, text

__all__ = ["CompiledDialect", "CompiledScope", "CompiledTable"]

_REMEMBERED = 1024  # scopes, providers and hosts come from outside, so what is remembered of them is bounded


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
        "name",
        "nested",
        "operations",
        "output_tokens",
        "parents",
        "provider",
        "reasoning_tokens",
        "region",
        "request_model",
        "response_id",
        "response_model",
        "routed_model",
        "server_address",
        "service_tier",
        "stream_log",
        "total_tokens",
        "uncached_input_tokens",
        "without_operation",
    )

    def __init__(self, dialect: Dialect, extra_keys: Sequence[str] = ()) -> None:
        fields = dialect.fields
        self.name = dialect.name
        self.markers = dialect.markers
        self.calls = dialect.calls
        self.parents = dialect.parents
        self.known = dialect.parents.union(dialect.calls)
        self.without_operation = dialect.without_operation
        self.stream_log = dialect.stream_log
        self.nested = nested_paths([*(key for keys in fields.values() for key in keys), *extra_keys])
        """Candidate keys that look inside an attribute. Where there are none, attributes are read as they are."""
        self.operations = fields["operation"]
        self.provider = fields["provider"]
        self.routed_model = fields["routed_model"]
        self.request_model = fields["request_model"]
        self.response_model = fields["response_model"]
        self.response_id = fields["response_id"]
        self.service_tier = fields["service_tier"]
        self.server_address = fields["server_address"]
        self.region = fields["region"]
        self.input_tokens = fields["input_tokens"]
        self.uncached_input_tokens = fields["uncached_input_tokens"]
        self.output_tokens = fields["output_tokens"]
        self.total_tokens = fields["total_tokens"]
        self.cache_read_tokens = fields["cache_read_tokens"]
        self.cache_write_tokens = fields["cache_write_tokens"]
        self.reasoning_tokens = fields["reasoning_tokens"]
        self.media = MediaKeys.of(fields)

    def operation(self, get: Get) -> str:
        """Return the first operation that the dialect knows, else the first there is, else an empty text."""
        unknown = ""
        for key in self.operations:
            value = get(key)
            if isinstance(value, str) and value in self.known:
                return value
            name = (text(value) or "").lower()
            if name in self.known:
                return name
            unknown = unknown or name
        return unknown


class CompiledScope:
    """What applies to the spans of one instrumentation scope."""

    __slots__ = ("dialects", "habits", "total_tells")

    def __init__(self, dialects: tuple[CompiledDialect, ...], habits: Habits, total_tells: bool) -> None:
        self.dialects = dialects
        self.habits = habits
        self.total_tells = total_tells
        """Whether a kind of token that a span does not name can be in the total of all tokens."""

    def dialect(self, attributes: Mapping[str, Any]) -> CompiledDialect | None:
        """Return the first dialect that has a marker on the span."""
        for dialect in self.dialects:
            for marker in dialect.markers:
                if marker in attributes:
                    return dialect
        return None


class CompiledTable:
    """Finds the rules of a scope, the provider and the accounting of a span."""

    def __init__(self, table: DialectTable) -> None:
        self._providers = {name.lower(): value for name, value in table.providers.items()}
        self._provider_suffixes = table.provider_suffixes
        self._refined_by_host = table.refined_by_host
        self._host_suffixes = table.host_suffixes
        row_keys = [key for row in table.accounting for key in row.keys]
        row_keys += [key for row in table.wrappers for key in row.without]
        row_keys += [key for row in table.guesses for key in (*row.without, *(row.values or {}))]
        self._dialects = [
            (globs(dialect.scopes), CompiledDialect(dialect, _own(row_keys, dialect))) for dialect in table.dialects
        ]
        self._accounting = [(globs(row.scopes), row) for row in table.accounting]
        self._wrappers = [(globs(row.scopes), row) for row in table.wrappers]
        self._guesses = [(globs(row.scopes), row) for row in table.guesses]
        self._hard_coded = [(globs(row.scopes), row) for row in table.hard_coded_hosts]
        self.markers = frozenset(
            marker for dialect in table.dialects if not dialect.marked_as_base for marker in dialect.markers
        )
        self.keys = _every_key(table, row_keys)
        self.deciding_keys = frozenset(
            base_key(key)
            for dialect in table.dialects
            for field in FIELDS
            if field not in {*COUNTS, "response_id"}
            for key in dialect.fields[field]
        ) | {dialect.stream_log.key for dialect in table.dialects if dialect.stream_log is not None}
        """Keys whose values tell one kind of call from another."""
        self._prefixes = frozenset({*self._providers.values(), *self._host_suffixes.values()}) - {""}
        self.scope = lru_cache(_REMEMBERED)(self._find_scope)
        """Return what applies to the spans of a scope."""
        self._emitter_of = lru_cache(_REMEMBERED)(self._find_emitter)
        self.provider_named = lru_cache(_REMEMBERED)(self._find_provider)
        """Return the convention's name of a provider, or None for a framework that poses as one."""
        self.address = lru_cache(_REMEMBERED)(self._find_address)
        """Return the host of a server address and the provider that it belongs to."""
        self.routed = lru_cache(_REMEMBERED)(self._find_route)
        """Return the provider that a name such as `openai/gpt-4o` is routed to, and the name without it."""

    def refined(self, provider: str | None, provider_of_host: str) -> str:
        """Return who serves the model, given who is named and whose host it is."""
        return provider_of_host if provider is None or provider in self._refined_by_host else provider

    def accounting(
        self, scope_name: str, dialect: str, provider: str | None, model: str | None, get: Get
    ) -> tuple[bool | None, str]:
        """Return whether the cache is inside the input (None: nothing tells) and where the reasoning is."""
        return self._emitter_of(scope_name, dialect, provider).accounting(model, get)

    def _find_scope(self, scope_name: str) -> CompiledScope:
        rows = _matching(self._accounting, scope_name)
        return CompiledScope(
            tuple(_matching(self._dialects, scope_name)),
            Habits(
                _matching(self._wrappers, scope_name),
                _matching(self._guesses, scope_name),
                _matching(self._hard_coded, scope_name),
            ),
            any(row.reasoning == "rest_of_total" for row in rows),
        )

    def _find_emitter(self, scope_name: str, dialect: str, provider: str | None) -> Emitter:
        return Emitter(
            row
            for row in _matching(self._accounting, scope_name)
            if (not row.dialects or dialect in row.dialects) and (not row.providers or provider in row.providers)
        )

    def _find_provider(self, name: str) -> str | None:
        known = (text(name) or "").lower()
        if known not in self._providers:
            for suffix in self._provider_suffixes:
                if known.endswith(suffix) and known != suffix:
                    known = known.removesuffix(suffix)
                    break
        return self._providers.get(known, known) or None

    def _find_address(self, address: str) -> tuple[str | None, str | None]:
        name = host(address)
        suffix = name or ""
        while suffix:
            if suffix in self._host_suffixes:
                return name, self._host_suffixes[suffix]
            suffix = suffix.partition(".")[2]
        return name, None

    def _find_route(self, model: str) -> tuple[str | None, str]:
        prefix, _, rest = model.partition("/")
        provider = self._find_provider(prefix)
        if not rest or provider not in self._prefixes:
            return None, model
        # What is left of a longer route, such as `accounts/fireworks/models/…`, is no model name.
        return provider, model if "/" in rest else rest


_Row = TypeVar("_Row")


def _matching(rows: Sequence[tuple[Test | None, _Row]], scope_name: str) -> list[_Row]:
    return [row for scopes, row in rows if scopes is None or scopes(scope_name)]


def _own(row_keys: Sequence[str], dialect: Dialect) -> list[str]:
    """Return the keys of other rows that look into an attribute that the dialect looks into anyway."""
    bases = {base_key(key) for keys in dialect.fields.values() for key in keys}
    return [key for key in row_keys if base_key(key) in bases]


def _every_key(table: DialectTable, row_keys: Sequence[str]) -> frozenset[str]:
    candidates = [
        key for dialect in table.dialects for keys in (dialect.markers, *dialect.fields.values()) for key in keys
    ]
    logs = [dialect.stream_log for dialect in table.dialects if dialect.stream_log is not None]
    return frozenset(
        base_key(key) for key in (*candidates, *row_keys, *(key for log in logs for key in (log.key, log.duration_s)))
    )
