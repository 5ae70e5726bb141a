"""From the attributes of one span to a call, to a parent that only contains calls, or to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from otel_carbon.model import Attribution, Call, Usage
from otel_carbon.semconv.gen_ai import CLOUD_REGION, ERROR_TYPE
from otel_carbon.spans.attribution import AttributionRules, attribution
from otel_carbon.spans.compiled import CompiledDialect, CompiledScope, CompiledTable
from otel_carbon.spans.counting import Counting
from otel_carbon.spans.emitter import Get
from otel_carbon.spans.first import first_count, first_text
from otel_carbon.spans.marks import MARK_KEYS
from otel_carbon.spans.media import MADE_BY_ITEM, with_media
from otel_carbon.spans.structured import StructuredAttributes
from otel_carbon.spans.table import DialectTable
from otel_carbon.spans.times import latency_s, stream_start
from otel_carbon.spans.usage import disjoint_usage, settled_output
from otel_carbon.spans.values import MAX_TEXT, text

__all__ = ["Parent", "SpanReader"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_REMOTE_KINDS = (0, 3)  # SPAN_KIND_UNSPECIFIED, SPAN_KIND_CLIENT of opentelemetry/proto/trace/v1/trace.proto


@dataclass(frozen=True, slots=True)
class Parent:
    """A GenAI-related span that is seen and not counted: it contains calls, or is none. `reason` says which."""

    reason: str


class SpanReader:
    """Reads spans by a table of dialects. Pure and safe to share between threads; no method raises on any span."""

    def __init__(self, table: DialectTable, rules: AttributionRules | None = None) -> None:
        self._table = CompiledTable(table)
        self.attribution_rules = self._rules = rules or AttributionRules()
        self.markers: frozenset[str] = self._table.markers
        """Keys of which at least one is on every GenAI-related span."""
        self.attribution_keys: frozenset[str] = self._rules.keys()
        """Keys that `attribution` looks at. Without any of them on the span, the resource alone decides."""
        self.keys: frozenset[str] = self._table.keys | self.attribution_keys | MARK_KEYS | {ERROR_TYPE}
        """Every span attribute that a method of this class or `read_mark` may look at."""
        self.key_prefixes: tuple[str, ...] = ()
        """Prefixes of further such keys; no dialect needs one."""

        self._deciding = self._table.deciding_keys | {ERROR_TYPE}

    @classmethod
    def bundled(cls, attribution: AttributionRules | None = None) -> SpanReader:
        """Return a reader for the dialects that come with the package."""
        return cls(DialectTable.bundled(), attribution)

    def looks_genai(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether a span is GenAI-related at all. Cheap, for the many spans that are not."""
        return not self.markers.isdisjoint(attributes)

    def attribution(self, attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> Attribution:
        """Return who the span is accounted to."""
        return attribution(self._rules, attributes, resource)

    def deciding(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the keys whose values decide what `read` returns, but for counts and response id."""
        return tuple(key for key in attributes if key in self._deciding)

    def counting(self, attributes: Mapping[str, Any], scope_name: str, call: Call) -> Counting | None:
        """Return how to read the counts of spans that have these keys and make such a call.

        None where more than plain counts decides: what lies inside an attribute, a total, a guess.
        """
        scope = self._table.scope(scope_name)
        dialect = scope.dialect(attributes)
        if dialect is None or dialect.nested or dialect.uncached_input_tokens:
            return None
        if scope.total_tells or scope.habits.guesses:
            return None
        model = call.model or call.request_model
        cache_inside, where = self._table.accounting(scope_name, dialect.name, call.provider, model, attributes.get)
        if where not in {"inside", "outside"}:
            return None
        return Counting(dialect, (cache_inside, where == "inside"), attributes)

    def read(
        self,
        attributes: Mapping[str, Any],
        *,
        scope_name: str = "",
        scope_version: str = "",  # noqa: ARG002 - emitters lie about it (see docs/instrumentations.md)
        resource: Mapping[str, Any] = _NOTHING,
        kind: int = 0,
        failed: bool = False,
        started_unix_nano: int = 0,
        ended_unix_nano: int = 0,
    ) -> Call | Parent | None:
        """Return the call that a span stands for, a parent that is not counted, or None when it is not GenAI-related.

        The span alone decides: its children often arrive in another request. `kind` is the number of the OTLP
        SpanKind, `failed` whether the status code is ERROR.
        """
        if self.markers.isdisjoint(attributes):
            return None
        if not isinstance(attributes, dict):
            attributes = dict(attributes)  # the SDK's own mapping takes a lock for every look
        scope = self._table.scope(scope_name)
        dialect = scope.dialect(attributes)
        if dialect is None:
            return None
        get: Get = StructuredAttributes(attributes, dialect.nested).get if dialect.nested else attributes.get
        operation = dialect.operation(get)
        if operation in dialect.parents:
            return Parent(operation)
        model = first_text(get, dialect.response_model)
        request_model = first_text(get, dialect.request_model)
        address, provider, poses = self._who(get, dialect, scope)
        if poses and provider is None:
            provider, model, request_model = self._route(get, dialect, model, request_model)
        usage, alternative = self._usage(get, dialect, scope, scope_name, provider, model or request_model)
        recorded = dialect.calls.get(operation) if operation else dialect.without_operation
        if not recorded:
            # Nobody has said what this operation is. It counts when it looks like a request to a model.
            if usage is None or (model or request_model) is None or kind not in _REMOTE_KINDS:
                return Parent(operation or "no operation")
            recorded = operation or "chat"
        habits = scope.habits
        if habits.wraps and habits.is_wrapper(recorded, get):
            return Parent(f"{recorded} around a call")
        continues = dialect.stream_log is not None and get(dialect.stream_log.key) == dialect.stream_log.value
        if continues:
            started_unix_nano = stream_start(get, dialect.stream_log, started_unix_nano)
        tier = first_text(get, dialect.service_tier)
        failed = failed or attributes.get(ERROR_TYPE) is not None
        read = Call(
            recorded,
            provider,
            model,
            request_model,
            usage,
            alternative,
            failed,
            first_text(get, dialect.region),
            address,
            text(resource.get(CLOUD_REGION)),
            latency_s(started_unix_nano, ended_unix_nano),
            started_unix_nano or None,
            first_text(get, dialect.response_id),
            None if tier is None else tier.lower(),
            guessed=habits.guesses and usage is not None and habits.is_guess(recorded, provider, get),
            continues=continues,
        )
        has_media = recorded in MADE_BY_ITEM or not attributes.keys().isdisjoint(dialect.media.seen)
        return with_media(read, get, dialect.media) if has_media else read

    def _who(self, get: Get, dialect: CompiledDialect, scope: CompiledScope) -> tuple[str | None, str | None, bool]:
        """Return the host that was called, the provider that serves the model there, and whether a framework poses.

        The host is believed first, where the emitter does not make it up; then what is named as the provider.
        """
        provider, poses = None, False
        for key in dialect.provider:
            name = get(key)
            if name is not None:
                provider = self._table.provider_named(name[:MAX_TEXT]) if isinstance(name, str) else None
                if provider is not None:
                    break
                poses = True
        for key in dialect.server_address:
            named = get(key)
            if isinstance(named, str):
                address, owner = self._table.address(named[:MAX_TEXT])
                if address is not None:
                    if scope.habits.is_hard_coded(address):
                        break
                    return address, provider if owner is None else self._table.refined(provider, owner), poses
        return None, provider, poses

    def _route(
        self, get: Get, dialect: CompiledDialect, model: str | None, request_model: str | None
    ) -> tuple[str | None, str | None, str | None]:
        """Return who a gateway or a framework routes the call to, and the names without the route in front."""
        provider = None
        for name in (first_text(get, dialect.routed_model), request_model, model):
            if name is not None and provider is None:
                provider = self._table.routed(name)[0]
        if provider is None:
            return None, model, request_model
        return (
            provider,
            None if model is None else self._table.routed(model)[1],
            None if request_model is None else self._table.routed(request_model)[1],
        )

    def _usage(  # noqa: PLR0917 - keywords would cost a tenth of reading a span
        self,
        get: Get,
        dialect: CompiledDialect,
        scope: CompiledScope,
        scope_name: str,
        provider: str | None,
        model: str | None,
    ) -> tuple[Usage | None, Usage | None]:
        input_count = first_count(get, dialect.input_tokens)
        output_count = first_count(get, dialect.output_tokens)
        if input_count is None and output_count is None:
            return None, None
        cache_read = first_count(get, dialect.cache_read_tokens) or 0
        cache_write = first_count(get, dialect.cache_write_tokens) or 0
        reasoning = first_count(get, dialect.reasoning_tokens) or 0
        if not (cache_read or cache_write or reasoning or scope.total_tells):
            return disjoint_usage(input_count, output_count, 0, 0, 0, True, True)
        cache_inside, where = self._table.accounting(scope_name, dialect.name, provider, model, get)
        if dialect.uncached_input_tokens:
            uncached = first_count(get, dialect.uncached_input_tokens)
            if uncached is not None:
                # What neither count explains was written to the cache: some emitters leave that kind out.
                cache_write += max((input_count or 0) - uncached - cache_read - cache_write, 0)
                input_count, cache_inside = uncached, False
        if where == "inside":
            return disjoint_usage(input_count, output_count, cache_read, cache_write, reasoning, cache_inside, True)
        total = first_count(get, dialect.total_tokens)
        output_count, reasoning, inside = settled_output(where, input_count, output_count, reasoning, total)
        return disjoint_usage(input_count, output_count, cache_read, cache_write, reasoning, cache_inside, inside)
