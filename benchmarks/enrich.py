"""CPU per span of the gateway's hot path, parse and enrich, beside the same work done with protobuf objects.

    python benchmarks/enrich.py [--seconds 5] [--profile]

Requests of 512 spans with about 18 attributes each, different ones all the time, so that nothing profits from having
seen a token count or a response id before. CPU time of the process, best of several rounds.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_carbon.model import Call, Sighting, SpanIdentity
from otel_carbon.pipeline.component import Settings
from otel_carbon.pipeline.duplicates import duplicates
from otel_carbon.pipeline.otlp import parse, rejections, sightings
from otel_carbon.pipeline.pdata import Enriched, Signal
from otel_carbon.processors.carbon import CarbonProcessor, Config
from otel_carbon.spans import adjusted_count, mark_attributes, read_mark

SPANS = 512
REQUESTS = 24
ROUNDS = 5
MODELS = (
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "api.openai.com"),
    ("openai", "gpt-4o", "gpt-4o-2024-11-20", "api.openai.com"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "api.anthropic.com"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash", "generativelanguage.googleapis.com"),
)
RESOURCE = (
    ("service.name", "chat-api"),
    ("service.version", "1.2.3"),
    ("deployment.environment.name", "production"),
    ("host.name", "node-1"),
    ("telemetry.sdk.language", "python"),
    ("telemetry.sdk.name", "opentelemetry"),
)


def attribute(key: str, value: str | float) -> KeyValue:
    """Return an attribute with the type that the value has."""
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))


def genai_attributes(rng: random.Random) -> list[KeyValue]:
    """Return the attributes of a chat completion."""
    provider, requested, answered, address = rng.choice(MODELS)
    return [
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.provider.name", provider),
        attribute("gen_ai.request.model", requested),
        attribute("gen_ai.response.model", answered),
        attribute("gen_ai.response.id", f"chatcmpl-{rng.getrandbits(128):032x}"),
        attribute("server.address", address),
        attribute("server.port", 443),
        attribute("gen_ai.usage.input_tokens", rng.randrange(1000, 20_000)),
        attribute("gen_ai.usage.output_tokens", rng.randrange(1, 4000)),
        attribute("gen_ai.usage.cache_read.input_tokens", rng.choice((0, 0, 512))),
        attribute("gen_ai.request.temperature", 0.7),
        attribute("gen_ai.response.finish_reasons", "stop"),
    ]


def web_attributes(rng: random.Random) -> list[KeyValue]:
    """Return the attributes of an HTTP request."""
    item = rng.randrange(10_000)
    return [
        attribute("http.request.method", "GET"),
        attribute("url.path", f"/items/{item}"),
        attribute("network.protocol.version", "1.1"),
        attribute("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        attribute("http.route", "/items/{id}"),
        attribute("http.response.status_code", 200),
    ]


def request(seed: int, genai_share: float) -> bytes:
    """Return one request, the same for the same seed."""
    rng = random.Random(seed)
    built = ExportTraceServiceRequest()
    resource = built.resource_spans.add()
    resource.resource.attributes.extend(attribute(key, value) for key, value in RESOURCE)
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for index in range(SPANS):
        is_genai = rng.random() < genai_share
        started = 1_790_000_000_000_000_000 + rng.randrange(10**15)
        span = Span(
            trace_id=rng.randbytes(16),
            span_id=rng.randbytes(8),
            parent_span_id=rng.randbytes(8),
            name="chat" if is_genai else "GET /items/{id}",
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=started,
            end_time_unix_nano=started + rng.randrange(10**8, 10**10),
        )
        span.attributes.extend(genai_attributes(rng) if is_genai else web_attributes(rng))
        span.attributes.extend(
            attribute(f"app.attribute{number}", f"value-{number}-{index % 7}") for number in range(6)
        )
        scope.spans.append(span)
    return built.SerializeToString()


class WithObjects:
    """The same work with protobuf objects: decode everything, look at every span, encode everything."""

    def __init__(self, processor: CarbonProcessor) -> None:
        self._estimate = processor.estimator.estimate
        self._reader = processor.reader

    def __call__(self, body: bytes) -> bytes:
        """Return the enriched request."""
        message = ExportTraceServiceRequest.FromString(body)
        found: list[tuple[Span, Sighting]] = []
        for resource in message.resource_spans:
            resource_attributes = {each.key: python_value(each.value) for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: python_value(each.value) for each in span.attributes}
                    sighting = self._sighting(span, attributes, scope.scope.name, resource_attributes)
                    if sighting is not None:
                        found.append((span, sighting))
        repeated = duplicates([sighting for _, sighting in found])
        enriched: list[Enriched] = []
        for index, (span, sighting) in enumerate(found):
            if sighting.call is not None and sighting.mark is None and index not in repeated:
                outcome = self._estimate(sighting.call)
                span.attributes.extend(attribute(key, value) for key, value in mark_attributes(outcome).items())
                enriched.append(Enriched(sighting, outcome))
        return message.SerializeToString()

    def _sighting(
        self, span: Span, attributes: dict[str, Any], scope: str, resource: dict[str, Any]
    ) -> Sighting | None:
        if not self._reader.looks_genai(attributes):
            return None
        call = self._reader.read(
            attributes,
            scope_name=scope,
            resource=resource,
            kind=span.kind,
            failed=span.status.code == Status.STATUS_CODE_ERROR,
            started_unix_nano=span.start_time_unix_nano,
            ended_unix_nano=span.end_time_unix_nano,
        )
        return Sighting(
            SpanIdentity(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            self._reader.attribution(attributes, resource),
            call if isinstance(call, Call) else None,
            read_mark(attributes),
            adjusted_count(span.trace_state),
            scope,
        )


def python_value(value: AnyValue) -> Any:
    """Return a scalar attribute value."""
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def microseconds_per_span(work: Callable[[bytes], object], bodies: Sequence[bytes], seconds: float) -> float:
    """Return the CPU time per span of the best round, in µs."""
    for body in bodies[:4]:
        work(body)
    best = float("inf")
    for _ in range(ROUNDS):
        began, spans = time.process_time(), 0
        while time.process_time() - began < seconds / ROUNDS:
            for body in bodies:
                work(body)
            spans += SPANS * len(bodies)
        best = min(best, (time.process_time() - began) / spans * 1e6)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU per span of parse and enrich.")
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds per figure")
    parser.add_argument("--profile", action="store_true", help="profile the wire path on GenAI spans, print no figures")
    options = parser.parse_args()
    processor = CarbonProcessor(Config(), Settings("carbon", {}, {}))
    with_objects = WithObjects(processor)

    def on_the_wire(body: bytes) -> bytes:
        return processor.process(parse(Signal.TRACES, body)).body

    if options.profile:
        profile(on_the_wire, [request(seed, 1.0) for seed in range(REQUESTS)])
        return
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {os.cpu_count()} CPUs, {SPANS} spans a request")
    print("µs of CPU per span      parse  rejections  parse+enrich   spans/s   sightings   with objects   ratio")
    for share in (1.0, 0.1, 0.0):
        bodies = [request(seed, share) for seed in range(REQUESTS)]
        marked = [on_the_wire(body) for body in bodies]
        parsing = microseconds_per_span(lambda body: parse(Signal.TRACES, body), bodies, options.seconds)
        rejecting = microseconds_per_span(lambda body: rejections(body, processor.reader), bodies, options.seconds)
        wire = microseconds_per_span(on_the_wire, bodies, options.seconds)
        reading = microseconds_per_span(lambda body: sightings(body, processor.reader), marked, options.seconds)
        objects = microseconds_per_span(with_objects, bodies, options.seconds)
        print(
            f"{share:6.0%} GenAI        {parsing:9.2f} {rejecting:11.2f} {wire:13.2f} {1e6 / wire:9,.0f}"
            f" {reading:11.2f} {objects:14.2f} {objects / wire:7.1f}"
        )


def profile(work: Callable[[bytes], object], bodies: Sequence[bytes]) -> None:
    """Print where the time goes."""
    profiler = cProfile.Profile()
    profiler.enable()
    for body in bodies:
        work(body)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
