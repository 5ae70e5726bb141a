"""An application as users have it: the real `openai` client under real auto-instrumentation, run as its own process.

    python -m otel_carbon.demo.workload install  PROVIDER_URL OTLP_GRPC_ENDPOINT
    python -m otel_carbon.demo.workload gateway  PROVIDER_URL OTLP_HTTP_ENDPOINT

`install` enriches its spans inside the process with `otel_carbon.install()` and exports over gRPC; `gateway` knows
nothing of otel-carbon and exports over HTTP.
"""

from __future__ import annotations

import sys

from openai import OpenAI
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_carbon

__all__ = ["main"]

_HANDBOOK = "You help an engineering team to plan batch jobs. Answer briefly and name your assumptions. " * 60
_QUESTIONS = ("When should the nightly job run?", "Which model is enough for tagging?", "What does a cache hit save?")


def main(argv: list[str]) -> int:
    """Run the calls of one half and return when everything has been exported."""
    half, provider_url, endpoint = argv
    if half == "install":
        _export_in_app(endpoint)
    else:
        _export_plain(endpoint)
    OpenAIInstrumentor().instrument()
    _call(OpenAI(base_url=f"{provider_url}/v1", api_key="demo", max_retries=0), half)
    _shut_down()
    return 0


def _export_in_app(endpoint: str) -> None:
    resource = Resource.create({"service.name": "planner", "deployment.environment.name": "demo"})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(GrpcSpanExporter(endpoint=endpoint, insecure=True)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, insecure=True))
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))
    trace.set_tracer_provider(traces)
    otel_carbon.install()


def _export_plain(endpoint: str) -> None:
    traces = TracerProvider(resource=Resource.create({"service.name": "tagger", "deployment.environment.name": "demo"}))
    traces.add_span_processor(BatchSpanProcessor(HttpSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(traces)


def _call(client: OpenAI, half: str) -> None:
    """Chat with two models of this half, one stream each, and one embeddings call."""
    large, small = ("gpt-5", "gpt-4o-mini") if half == "install" else ("gpt-4o", "o4-mini")
    for model in (large, small):
        for question in _QUESTIONS:
            client.chat.completions.create(
                model=model,
                messages=[{"role": "system", "content": _HANDBOOK}, {"role": "user", "content": question}],
            )
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": _HANDBOOK}, {"role": "user", "content": _QUESTIONS[0]}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for _chunk in stream:
            pass
    client.embeddings.create(model="text-embedding-3-small", input=list(_QUESTIONS))


def _shut_down() -> None:
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider):
            provider.shutdown()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
