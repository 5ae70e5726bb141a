"""A second OTLP endpoint on loopback, as a tracing backend would be: takes the enriched spans and shows them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

__all__ = ["Backend", "ReceivedSpan"]


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it arrived."""

    service: str
    name: str
    attributes: Mapping[str, Any]


class Backend:
    """Receives OTLP/HTTP traces and hands each span to `show`."""

    def __init__(self, show: Callable[[ReceivedSpan], None]) -> None:
        self._show = show
        self.spans: list[ReceivedSpan] = []

    def app(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/traces", self._traces)
        app.router.add_post("/v1/metrics", _accept)
        return app

    async def _traces(self, request: web.Request) -> web.StreamResponse:
        for span in _spans(await _body(request)):
            self.spans.append(span)
            self._show(span)
        return _answer()


async def _accept(request: web.Request) -> web.StreamResponse:
    await _body(request)
    return _answer()


async def _body(request: web.Request) -> bytes:
    body = await request.read()
    # aiohttp has undone the encoding that it knows; the magic number tells.
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def _answer() -> web.Response:
    return web.Response(
        body=ExportTraceServiceResponse().SerializeToString(), headers={"Content-Type": "application/x-protobuf"}
    )


def _spans(body: bytes) -> Iterator[ReceivedSpan]:
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = str(_attributes(resource_spans.resource.attributes).get("service.name", ""))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield ReceivedSpan(service, span.name, _attributes(span.attributes))


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return None if kind is None else getattr(pair.value, kind)
