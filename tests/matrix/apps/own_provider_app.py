"""SDKs that build their own tracer provider, each with the one line where docs/in-app.md puts it."""

from __future__ import annotations

import os
import sys
from typing import Any

import openai_app

import otel_carbon

SERVICE = os.environ["OTEL_SERVICE_NAME"]
ENDPOINT = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


def traceloop() -> None:
    """Traceloop: its own global provider, unless the application has set one."""
    from traceloop.sdk import Traceloop

    Traceloop.init(app_name=SERVICE, api_endpoint=ENDPOINT, disable_batch=True, telemetry_enabled=False)
    otel_carbon.install()


def logfire() -> None:
    """Logfire: a proxy of its own around its provider."""
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    otel_carbon.install()
    logfire.instrument_openai()


def langfuse() -> None:
    """Langfuse: sets the global provider when the client is made, and sends to itself alone."""
    from langfuse import Langfuse
    from langfuse.openai import openai  # noqa: F401 - importing it instruments the client
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    Langfuse(public_key="pk-lf-mock", secret_key="sk-lf-mock", host=ENDPOINT)
    otel_carbon.install()
    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def openlit() -> None:
    """OpenLIT: sets the global provider in `init`."""
    import openlit

    openlit.init(otlp_endpoint=ENDPOINT)
    otel_carbon.install()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    openai_app.main("short")
