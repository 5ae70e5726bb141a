"""An application that knows nothing of otel-carbon. What it exports is set by the environment."""

from opentelemetry import trace

with (
    trace.get_tracer("app").start_as_current_span("GET /"),
    trace.get_tracer("app").start_as_current_span(
        "chat gpt-4o",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
        },
    ) as span,
):
    span.set_attribute("gen_ai.usage.input_tokens", 1200)
    span.set_attribute("gen_ai.usage.output_tokens", 345)
