"""An OTLP/gRPC server that keeps the ids of the spans it is sent, and is as unreliable as a backend can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["SpanSink", "serving_sink", "span_ids"]

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_Context = grpc.aio.ServicerContext[bytes, bytes]


class SpanSink:
    """Counts how often each span came. `unavailable` is the share of requests that it turns away.

    Half of those it has kept all the same, as a backend whose answer was lost on the way.
    """

    def __init__(self, chance: Random, unavailable: float = 0.0) -> None:
        self.address = ""
        self.unavailable = unavailable
        self.spans: Counter[str] = Counter()
        self._chance = chance

    async def export(self, body: bytes, context: _Context) -> bytes:
        """Answer one request."""
        turned_away = self._chance.random() < self.unavailable
        if not turned_away or self._chance.random() < 0.5:
            self.keep(span_ids(body))
        if turned_away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "come back later")
        return b""

    def keep(self, ids: list[str]) -> None:
        """Note what has come."""
        self.spans.update(ids)


@asynccontextmanager
async def serving_sink(sink: SpanSink) -> AsyncIterator[SpanSink]:
    """Serve it on a free port of this machine."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(sink.export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    sink.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield sink
    finally:
        await server.stop(0)


def span_ids(body: bytes) -> list[str]:
    """Return the ids of the spans in a request."""
    request = ExportTraceServiceRequest.FromString(body)
    scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
    return [span.span_id.hex() for scope in scopes for span in scope.spans]
