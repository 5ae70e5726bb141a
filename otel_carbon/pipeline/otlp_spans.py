"""Finds the GenAI-related spans of a traces request and reads them, without touching the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from otel_carbon.model import Call, Sighting, SpanIdentity
from otel_carbon.pipeline.attributes import AttributeReader
from otel_carbon.pipeline.otlp_schema import ResourceView, SpanView, lenient, read, resource_view, span_view
from otel_carbon.pipeline.span_search import span_search
from otel_carbon.pipeline.wire import Extent, ResourceSpans, field_end, joined, read_varint
from otel_carbon.pipeline.wire_search import words_of
from otel_carbon.semconv.carbon import OTEL_CARBON_STATUS
from otel_carbon.semconv.gen_ai import CLOUD_REGION
from otel_carbon.spans import KnownReads, SpanReader, adjusted_count, read_mark

__all__ = ["GenAISpan", "GenAISpans", "genai_spans"]

_STATUS_ERROR = 2
_SCOPE = "opentelemetry.proto.common.v1.InstrumentationScope"
_LARGE_SPAN = 4096  # bytes from which on a span is read without its prompts rather than as it is
_LARGE_FIELD = 256
_ATTRIBUTES = 9
_OTHER_FIELDS_READ = frozenset((1, 2, 3, 4, 6, 7, 8, 15))
_LONGEST_REMEMBERED = 16_384  # bytes of an encoded resource
_MOST_REMEMBERED = 256
_NO_TRACE_ID = bytes(16)
_NO_SPAN_ID = bytes(8)
_NO_START = bytes(8)


GenAISpan = tuple[int, Sighting, bool]
"""A GenAI-related span of a request: the offset of its tag, the sighting, and whether `otel_carbon.status` is on it.

A span with a status is left alone, also where its value makes no sense and there is no `Sighting.mark`.
"""


class GenAISpans:
    """Reads traces requests with one `SpanReader`. Thread-safe."""

    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader
        self._search = span_search(words_of(reader.markers))
        self._attributes = AttributeReader(reader.keys, reader.key_prefixes)
        self._attribution_keys = reader.attribution_keys
        self._everything = AttributeReader.of_everything()
        self._resources: dict[bytes, Mapping[str, Any]] = {}
        self._reads: dict[tuple[str, str | None], KnownReads] = {}

    def scan(self, body: bytes) -> tuple[Sequence[ResourceSpans], list[GenAISpan]]:
        """Return the layout of a request and its GenAI-related spans, in order; neither when there are none.

        Spans with invalid ids are left out: they cannot be accounted for.

        Raises:
            InvalidDataError: the bytes are not a traces request.
        """
        layout, scopes = self._search.find(body)
        found: list[GenAISpan] = []
        for resource, scope, spans in scopes:
            attributes = self._resource(joined(body, resource.resource))
            self._read_scope(body, spans, joined(body, scope.scope), attributes, found)
        return layout, found

    def incomplete(self, body: bytes) -> Iterator[tuple[SpanView, bool]]:
        """Yield the GenAI-related spans that lack valid ids or a start, and whether the ids are valid.

        Ids that are missing, all zero or of the wrong length are not valid.

        Raises:
            InvalidDataError: the bytes are not a traces request.
        """
        for _, _, spans in self._search.find(body)[1]:
            for _, start, end in spans:
                if not _begins_complete(body, start):
                    view = self._view(body, start, end)
                    has_ids = _has_ids(view)
                    if has_ids and view.start_time_unix_nano:
                        continue
                    if self._reader.looks_genai(self._attributes.read(view.attributes)):
                        yield view, has_ids

    def _read_scope(
        self,
        body: bytes,
        spans: Sequence[Extent],
        encoded_scope: bytes,
        resource: Mapping[str, Any],
        found: list[GenAISpan],
    ) -> None:
        """Add the GenAI-related spans of one scope to `found`."""
        scope = read(lenient(_SCOPE), encoded_scope, "InstrumentationScope")
        name = scope.name.decode("utf-8", "replace")
        reader, read_attributes = self._reader, self._attributes.read
        read_call = self._known_reads(name, resource).read
        usual_attribution = reader.attribution({}, resource)
        for at, start, end in spans:
            view = self._view(body, start, end)
            attributes = read_attributes(view.attributes[:])
            started, ended = view.start_time_unix_nano, view.end_time_unix_nano
            call = read_call(attributes, view.kind, view.status.code == _STATUS_ERROR, started, ended)
            if call is None or not _has_ids(view):
                continue
            marked = OTEL_CARBON_STATUS in attributes
            sighting = Sighting(
                SpanIdentity(view.trace_id.hex(), view.span_id.hex(), view.parent_span_id.hex()),
                started,
                ended,
                usual_attribution
                if self._attribution_keys.isdisjoint(attributes)
                else reader.attribution(attributes, resource),
                call if isinstance(call, Call) else None,
                read_mark(attributes) if marked else None,
                _adjusted_count(view.trace_state),
                name or None,
            )
            found.append((at, sighting, marked))

    def _known_reads(self, scope_name: str, resource: Mapping[str, Any]) -> KnownReads:
        region = resource.get(CLOUD_REGION)
        key = (scope_name, region if isinstance(region, str) else None)
        reads = self._reads.get(key)
        if reads is None:
            if len(self._reads) >= _MOST_REMEMBERED:
                self._reads = {}
            reads = self._reads[key] = KnownReads(self._reader, scope_name, resource)
        return reads

    def _resource(self, encoded: bytes) -> Mapping[str, Any]:
        attributes = self._resources.get(encoded)
        if attributes is None:
            view: ResourceView = read(resource_view(), encoded, "Resource")
            attributes = self._everything.read(view.attributes)
            if len(encoded) <= _LONGEST_REMEMBERED:
                if len(self._resources) >= _MOST_REMEMBERED:
                    self._resources = {}
                self._resources[encoded] = attributes
        return attributes

    def _view(self, body: bytes, start: int, end: int) -> SpanView:
        encoded = body[start:end] if end - start < _LARGE_SPAN else self._without_prompts(body, start, end)
        view: SpanView = read(span_view(), encoded, "Span")
        return view

    def _without_prompts(self, body: bytes, start: int, end: int) -> bytes:
        """Return a span without its large fields that are not read."""
        parts: list[bytes] = []
        kept = at = start
        while at < end:
            tag, content = read_varint(body, at)
            stop = field_end(body, tag, content)
            if stop - at > _LARGE_FIELD and not self._is_read(body, tag >> 3, content, stop):
                parts.append(body[kept:at])
                kept = stop
            at = stop
        parts.append(body[kept:end])
        return b"".join(parts)

    def _is_read(self, body: bytes, number: int, at: int, end: int) -> bool:
        if number == _ATTRIBUTES:
            return self._attributes.wants(body, read_varint(body, at)[1], end)
        return number in _OTHER_FIELDS_READ


@lru_cache(maxsize=16)
def genai_spans(reader: SpanReader) -> GenAISpans:
    """Return the one `GenAISpans` of a reader, so that what it remembers is of use to all."""
    return GenAISpans(reader)


def _adjusted_count(trace_state: bytes) -> float:
    return adjusted_count(trace_state.decode("utf-8", "replace")) if trace_state else 1.0


def _has_ids(view: SpanView) -> bool:
    trace_id, span_id = view.trace_id, view.span_id
    return len(trace_id) == 16 and len(span_id) == 8 and trace_id != _NO_TRACE_ID and span_id != _NO_SPAN_ID


def _begins_complete(body: bytes, start: int) -> bool:
    """Tell whether a span begins with two valid ids and has a start where all SDKs write it."""
    if (
        body[start : start + 2] != b"\x0a\x10"
        or body[start + 18 : start + 20] != b"\x12\x08"
        or body[start + 2 : start + 18] == _NO_TRACE_ID
        or body[start + 20 : start + 28] == _NO_SPAN_ID
    ):
        return False
    at = start + 28
    if body[at : at + 2] == b"\x22\x08":  # parent_span_id
        at += 10
    if body[at : at + 1] == b"\x2a" and body[at + 1 : at + 2] < b"\x80":  # name
        at += 2 + int.from_bytes(body[at + 1 : at + 2], "big")
    if body[at : at + 1] == b"\x30":  # kind
        at += 2
    return body[at : at + 1] == b"\x39" and body[at + 1 : at + 9] != _NO_START
