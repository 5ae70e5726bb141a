"""The gateway traces itself: what it receives, processes, writes and exports, under the Collector's span names.

Spans carry ids of components and counts, never anything of what passes; not even the text of an error, as it may quote.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_carbon._version import __version__
from otel_carbon.errors import MissingExtraError
from otel_carbon.gateway.tracing_config import BatchConfig, OtlpConfig, TracesConfig
from otel_carbon.pipeline.component import Consumer, Exporter, JournalEntry
from otel_carbon.pipeline.pdata import Payload, Signal

__all__ = ["Tracing", "start_tracing"]

_RECEIVED: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "TraceDataReceived", Signal.METRICS: "MetricsReceived", Signal.LOGS: "LogsReceived"}
)
_ITEMS: Mapping[Signal, str] = MappingProxyType(
    {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
)
_STOPS_WITHIN_S = 5.0


class Tracing:
    """Makes spans of what the gateway does, but not of what it does with spans of its own.

    Those are known by the id of this instance in their resource. So there is no loop where the gateway, or something
    behind it, sends them back to the gateway, however long they lay in the journal in between.
    """

    def __init__(self, provider: TracerProvider, instance_id: str, *, takes_up: bool = False) -> None:
        self._provider = provider
        self._propagator = TraceContextTextMapPropagator() if takes_up else None
        self._tracer = provider.get_tracer("otel_carbon.gateway", __version__)
        self._own = instance_id.encode()

    @contextmanager
    def called_with(self, header: Callable[[str], str | None]) -> Generator[None]:
        """Let what is received go on with the trace that a sender names in its headers, where that is wanted."""
        if self._propagator is None:
            yield
            return
        named = {name: value for name in self._propagator.fields if (value := header(name)) is not None}
        token = attach(self._propagator.extract(named, Context()))
        try:
            yield
        finally:
            detach(token)

    def receiving(self, receiver_id: str, consumer: Consumer) -> Consumer:
        """Return the consumer of a receiver, with a span around each payload."""

        async def consume(payload: Payload) -> None:
            if self._own in payload.body:
                return await consumer(payload)
            name = f"receiver/{receiver_id}/{_RECEIVED[payload.signal]}"
            attributes = {"receiver": receiver_id}
            with self._span(name, SpanKind.SERVER, attributes, payload.items, _received(payload.signal)):
                return await consumer(payload)

        return consume

    def exporting(self, exporter_id: str, signal: Signal, exporter: Exporter) -> Exporter:
        """Return the exporter, with a span around each delivery."""

        async def export(entries: Sequence[JournalEntry]) -> None:
            if all(self._own in entry.payload.body for entry in entries):
                return await exporter.export(entries)
            items = sum(entry.payload.items for entry in entries)
            attributes = {"exporter": exporter_id, "data_type": signal.value}
            name = f"exporter/{exporter_id}/{signal}"
            with self._span(name, SpanKind.CLIENT, attributes, items, ("items.sent", "items.failed")):
                return await exporter.export(entries)

        return _Exporting(exporter, export)

    @contextmanager
    def step(self, name: str, **attributes: str) -> Generator[None]:
        """Make a span around a step on the way of a payload whose receiving has one."""
        if not get_current_span().is_recording():
            yield
            return
        with (
            self._tracer.start_as_current_span(
                name, attributes=attributes, record_exception=False, set_status_on_exception=False
            ) as span,
            _failure_shown(span),
        ):
            yield

    def stop(self) -> None:
        """Send what is left, for some seconds at most."""
        # The exporter goes on trying where nobody answers; a daemon thread does not hold up the end of the process.
        thread = threading.Thread(target=self._provider.shutdown, name="tracing-shutdown", daemon=True)
        thread.start()
        thread.join(_STOPS_WITHIN_S)

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str], items: int, counts: tuple[str, str]
    ) -> Generator[None]:
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            good, bad = counts
            try:
                with _failure_shown(span):
                    yield
            except Exception:
                span.set_attributes({good: 0, bad: items})
                raise
            span.set_attributes({good: items, bad: 0})


class _Exporting:
    """An exporter whose deliveries go through another function; everything else is its own."""

    def __init__(
        self, exporter: Exporter, export: Callable[[Sequence[JournalEntry]], Coroutine[Any, Any, None]]
    ) -> None:
        self._exporter = exporter
        self._export = export

    async def start(self) -> None:
        await self._exporter.start()

    async def shutdown(self) -> None:
        await self._exporter.shutdown()

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        await self._export(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exporter, name)


def start_tracing(config: TracesConfig) -> Tracing | None:
    """Return the tracing of this process; None where it is off.

    Raises:
        MissingExtraError: the exporters are not installed.
    """
    if not config.enabled:
        return None
    instance_id = str(uuid.uuid4())
    resource = Resource.create(
        {"service.name": "otel-carbon", "service.version": __version__, "service.instance.id": instance_id}
    )
    ratio = 1.0 if config.sampler is None else config.sampler.ratio
    sampler = ParentBased(TraceIdRatioBased(ratio))
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    for processor in config.processors:
        provider.add_span_processor(_batch(processor.batch))
    return Tracing(provider, instance_id, takes_up=bool(config.propagators))


def _batch(config: BatchConfig) -> BatchSpanProcessor:
    return BatchSpanProcessor(
        _exporter(config.exporter.otlp),
        max_queue_size=config.max_queue_size,
        schedule_delay_millis=config.schedule_delay,
        max_export_batch_size=config.max_export_batch_size,
    )


def _exporter(config: OtlpConfig) -> SpanExporter:
    try:
        return _grpc(config) if config.protocol == "grpc" else _http(config)
    except ModuleNotFoundError as error:
        raise MissingExtraError("service::telemetry::traces", "traces") from error


def _grpc(config: OtlpConfig) -> SpanExporter:
    import grpc  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    insecure = urlsplit(config.endpoint).scheme == "http"
    authorities = None if config.certificate is None else Path(config.certificate).read_bytes()
    return OTLPSpanExporter(
        endpoint=config.endpoint,
        insecure=insecure,
        credentials=None if insecure else grpc.ssl_channel_credentials(authorities),
        headers=tuple((header.name.lower(), header.value.reveal()) for header in config.headers),
        timeout=config.timeout / 1000,
        compression=grpc.Compression.Gzip if config.compression == "gzip" else grpc.Compression.NoCompression,
    )


def _http(config: OtlpConfig) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    path = "" if urlsplit(config.endpoint).path.strip("/") else "/v1/traces"
    return OTLPSpanExporter(
        endpoint=config.endpoint.rstrip("/") + path if path else config.endpoint,
        certificate_file=config.certificate,
        headers={header.name: header.value.reveal() for header in config.headers},
        timeout=config.timeout / 1000,
        compression=Compression.Gzip if config.compression == "gzip" else Compression.NoCompression,
    )


def _received(signal: Signal) -> tuple[str, str]:
    return f"accepted_{_ITEMS[signal]}", f"refused_{_ITEMS[signal]}"


@contextmanager
def _failure_shown(span: Span) -> Generator[None]:
    """Give a span the type of what is raised, and not its text."""
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise
