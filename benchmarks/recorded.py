"""Requests made of recorded spans, with ids and token counts of their own, for load that runs for long."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_CAPTURES = Path(__file__).parents[1] / "tests" / "captures"
_GENAI = "opentelemetry.instrumentation.openai_v2"
_FOREIGN = frozenset(("next.js", "@vercel/otel/fetch"))
_USAGE = "gen_ai.usage.input_tokens"
_RESPONSE = "gen_ai.response.id"
_SPANS_OF_ALL_TEMPLATES = 8192
_TEMPLATES = range(2, 41)  # at least and at most
_SECOND_NS = 10**9

_Recorded = tuple[Resource, str, Span]


class Corpus:
    """Requests of one size, `genai_share` of whose spans are calls; the same for the same arguments."""

    def __init__(self, genai_share: float, size: int) -> None:
        self.size = size
        count = min(max(_SPANS_OF_ALL_TEMPLATES // size, _TEMPLATES.start), _TEMPLATES.stop - 1)
        genai, foreign = list(_recorded("python.jsonl.gz")), list(_recorded("javascript.jsonl.xz"))
        self._templates = [_Template(_request(number, genai_share, size, genai, foreign)) for number in range(count)]

    def request(self, number: int) -> bytes:
        """Return a request whose ids no other number has."""
        return self._templates[number % len(self._templates)].fresh(number)


class _Template:
    """A request whose ids can be made new without building it again."""

    def __init__(self, request: ExportTraceServiceRequest) -> None:
        self._body = bytearray(request.SerializeToString())
        spans = [span for scope in request.resource_spans[0].scope_spans for span in scope.spans]
        self._ids = [self._body.find(span.trace_id) for span in spans]
        texts = [each.value.string_value for span in spans for each in span.attributes if each.key == _RESPONSE]
        self._responses = [self._body.find(text.encode()) for text in texts]

    def fresh(self, number: int) -> bytes:
        raw, text = number.to_bytes(6, "big"), f"{number:012x}".encode()
        for at in self._ids:
            self._body[at : at + 6] = raw
        for at in self._responses:
            self._body[at : at + 12] = text
        return bytes(self._body)


def _recorded(name: str) -> Iterator[_Recorded]:
    """Yield the spans of a recording that are used: of one library the calls, of another what it says of the web."""
    raw = (_CAPTURES / name).read_bytes()
    for line in (gzip if name.endswith(".gz") else lzma).decompress(raw).splitlines():
        for body in json.loads(line)["bodies"]:
            encoded = body if isinstance(body, str) else body.get("pb")
            if encoded is not None:
                yield from _used(ExportTraceServiceRequest.FromString(base64.b64decode(encoded)))


def _used(request: ExportTraceServiceRequest) -> Iterator[_Recorded]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                is_call = scope.scope.name == _GENAI and any(each.key == _USAGE for each in span.attributes)
                if is_call or scope.scope.name in _FOREIGN:
                    yield resource.resource, scope.scope.name, span


def _request(
    number: int, share: float, size: int, genai: list[_Recorded], foreign: list[_Recorded]
) -> ExportTraceServiceRequest:
    rng = random.Random(number)
    request = ExportTraceServiceRequest()
    chosen = [rng.choice(genai if _is_call(number * size + each, share) else foreign) for each in range(size)]
    resource = request.resource_spans.add(resource=chosen[0][0])
    scopes: dict[str, Any] = {}
    for _, scope, span in chosen:
        if scope not in scopes:
            scopes[scope] = resource.scope_spans.add()
            scopes[scope].scope.name = scope
        _renew(scopes[scope].spans.add(), span, rng)
    return request


def _is_call(index: int, share: float) -> bool:
    return int((index + 1) * share + 1e-9) > int(index * share + 1e-9)


def _renew(span: Span, recorded: Span, rng: random.Random) -> None:
    """Give a span ids, times of the last minutes and, where it has any, token counts and a response id of its own."""
    span.CopyFrom(recorded)
    span.trace_id, span.span_id = rng.randbytes(16), rng.randbytes(8)
    span.parent_span_id = rng.randbytes(8) if recorded.parent_span_id else b""
    span.start_time_unix_nano = time.time_ns() - rng.randrange(1, 600 * _SECOND_NS)
    span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(_SECOND_NS // 100, 10 * _SECOND_NS)
    for each in span.attributes:
        if each.key == _RESPONSE:
            each.value.string_value = f"{0:012x}{rng.getrandbits(64):016x}"
        elif each.key.startswith("gen_ai.usage.") and each.value.int_value:
            each.value.int_value = rng.randrange(each.value.int_value, 20 * each.value.int_value)
