"""CPU time that the in-app path adds to a span, over the bare SDK in the same process.

    python benchmarks/in_app.py [--rounds 20000]

Configurations take turns span by span, so that a busy machine slows all of them alike. Times are CPU time of the
thread that starts, fills and ends the span. The cost of the span itself is the yardstick: the same ratio on another
machine is the same cost. `ledger` has its writer on another thread, whose CPU time stands apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from otel_carbon.processors import CarbonSpanProcessor

_SCOPE = "opentelemetry.instrumentation.openai.v1"
_GENAI: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.max_tokens": 512,
    "gen_ai.request.temperature": 0.2,
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.input.messages": "x" * 2000,
    "gen_ai.output.messages": "y" * 1000,
    "llm.is_streaming": False,
    "server.address": "api.openai.com",
    "server.port": 443,
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 345,
}
_OTHER: dict[str, Any] = {
    "http.request.method": "GET",
    "http.route": "/orders/{id}",
    "http.response.status_code": 200,
    "url.path": "/orders/17",
    "url.scheme": "https",
    "server.address": "shop.example",
    "server.port": 443,
    "client.address": "10.1.2.3",
    "network.protocol.version": "1.1",
    "user_agent.original": "Mozilla/5.0",
}


@dataclass(frozen=True, slots=True)
class Added:
    """CPU time per span, in microseconds."""

    configuration: str
    median_us: float
    p99_us: float


def main() -> None:
    """Print the table of both kinds of span."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000, help="spans of each kind and configuration")
    rounds = parser.parse_args().rounds
    print(f"opentelemetry-sdk {version('opentelemetry-sdk')}, {rounds} spans each")
    with tempfile.TemporaryDirectory() as folder:
        for kind, attributes in (("GenAI", _GENAI), ("other", _OTHER)):
            _print(kind, _measure(_providers(Path(folder) / f"{kind}.db"), attributes, rounds))


def _providers(ledger: Path) -> dict[str, TracerProvider]:
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False)
    configurations: dict[str, list[SpanProcessor]] = {
        "bare SDK": [],
        "carbon": [CarbonSpanProcessor(metrics=False)],
        "carbon, metrics": [CarbonSpanProcessor(meter_provider=meters)],
        "carbon, metrics, ledger": [CarbonSpanProcessor(meter_provider=meters, ledger=ledger)],
    }
    providers: dict[str, TracerProvider] = {}
    for name, processors in configurations.items():
        providers[name] = TracerProvider(shutdown_on_exit=False)
        for processor in (SpanProcessor(), *processors):
            providers[name].add_span_processor(processor)
    return providers


def _measure(providers: Mapping[str, TracerProvider], attributes: Mapping[str, Any], rounds: int) -> list[Added]:
    tracers = {name: provider.get_tracer(_SCOPE) for name, provider in providers.items()}
    times_ns: dict[str, list[int]] = {name: [] for name in tracers}
    for number in range(rounds + 1000):
        own = {**attributes, "gen_ai.response.id": f"chatcmpl-{number}"} if attributes is _GENAI else attributes
        for name, tracer in tracers.items():
            taken_ns = _one_span(tracer, own)
            if number >= 1000:
                times_ns[name].append(taken_ns)
    for provider in providers.values():
        provider.shutdown()
    return [_added(name, times) for name, times in times_ns.items()]


def _one_span(tracer: trace.Tracer, attributes: Mapping[str, Any]) -> int:
    started_ns = time.thread_time_ns()
    span = tracer.start_span("chat gpt-4o", kind=trace.SpanKind.CLIENT)
    for key, value in attributes.items():
        span.set_attribute(key, value)
    span.end()
    return time.thread_time_ns() - started_ns


def _added(name: str, times_ns: list[int]) -> Added:
    return Added(name, statistics.median(times_ns) / 1e3, statistics.quantiles(times_ns, n=100)[98] / 1e3)


def _print(kind: str, results: list[Added]) -> None:
    bare = results[0]
    print(f"\n{kind} span{'':17} median    p99   added median  added p99   ratio to the bare span")
    for result in results:
        median_us, p99_us = result.median_us - bare.median_us, result.p99_us - bare.p99_us
        row = f"{result.configuration:<24}{result.median_us:8.1f}{result.p99_us:8.1f}"
        print(f"{row}{median_us:12.1f}{p99_us:12.1f}{median_us / bare.median_us:15.2f}" if result != bare else row)
    print("(microseconds)")


if __name__ == "__main__":
    main()
