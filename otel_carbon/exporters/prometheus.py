"""The `prometheus` exporter: OTLP metrics in, a page for Prometheus to scrape out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from otel_carbon.errors import ConfigError
from otel_carbon.exporters._prom_request import put_request
from otel_carbon.exporters._prom_store import FamilyStore
from otel_carbon.pipeline.component import Factory, JournalEntry, Kind, Settings, Stability, Telemetry
from otel_carbon.pipeline.duration import duration_s
from otel_carbon.pipeline.endpoint import parse_endpoint
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.undelivered import RefusedError, Undelivered
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.guard import Guard, check_listener
from otel_carbon.security.tokens import AuthConfig
from otel_carbon.security.web import authenticated, listen

__all__ = ["FACTORY", "Config", "PrometheusExporter"]

_LOG = logging.getLogger(__name__)
_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the exporter, with the Collector's keys.

    Raises:
        ConfigError: a value cannot work.
    """

    endpoint: str = "127.0.0.1:9464"
    metric_expiration: str = "5m"
    """A series that nobody has sent for so long disappears from the page; `0s` keeps all."""
    cardinality_limit: int = 10_000
    """Series of one metric that are shown; what is beyond is dropped and counted. 0 shows all."""
    tls: ServerTlsConfig | None = None
    """Certificates; left out, plain text."""
    auth: AuthConfig | None = None
    """Tokens of those who scrape; left out, nobody is asked for one."""
    allow_unauthenticated: bool = False
    """Whether an address that others can reach may be listened on without tokens or client certificates."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_listener(self, "")
        duration_s(self.metric_expiration, "metric_expiration")
        if self.cardinality_limit < 0:
            raise ConfigError(f"cardinality_limit: {self.cardinality_limit} is below 0; 0 shows all series")


class PrometheusExporter:
    """Serves `/metrics` with the newest value of every series that passed."""

    stays_on_reload = True  # its series are in memory only, and its port may be read from at any time

    def __init__(self, config: Config, settings: Settings) -> None:
        self._endpoint = parse_endpoint(config.endpoint, "endpoint")
        self._guard = Guard(config, "")
        self._id = settings.id
        self._telemetry: Telemetry | None = settings.shared.get("telemetry")
        expiration_s = duration_s(config.metric_expiration, "metric_expiration")
        self._store = FamilyStore(expiration_s, time.monotonic, self._count_dropped, config.cardinality_limit)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._store)
        self._runner: web.AppRunner | None = None
        self.url: str | None = None
        """Where the page is, once started."""

    async def start(self) -> None:
        """Listen. Raises ConfigError for the address, or a file of TLS or tokens."""
        self._guard.load()
        app = web.Application(middlewares=[] if self._guard.tokens is None else [authenticated(self._guard.tokens)])
        app.router.add_get("/metrics", self._page)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S)
        self.url = f"{await listen(runner, self._endpoint, self._guard, 'endpoint')}/metrics"
        self._runner = runner
        _LOG.info("%s: metrics are on %s", self._id, self.url)

    def reload_files(self) -> None:
        """Read certificates and tokens again; files that cannot be used leave the earlier ones in force."""
        self._guard.reload()

    async def shutdown(self) -> None:
        """Stop serving."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def export(self, entries: Sequence[JournalEntry]) -> None:
        """Take the data points of the entries. Raises RefusedError for what cannot be read."""
        unreadable: list[Undelivered] = []
        for entry in entries:
            try:
                request = ExportMetricsServiceRequest.FromString(entry.payload.body)
            except DecodeError:  # a text that is not UTF-8, which the receiver lets pass
                unreadable.append(Undelivered(entry, "a request holds text that is not UTF-8"))
                continue
            put_request(request, self._store, time.monotonic())
        if unreadable:
            raise RefusedError(unreadable)

    async def _page(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        response = web.Response(body=encode(self._registry), headers={hdrs.CONTENT_TYPE: content_type})
        response.enable_compression()
        return response

    def _count_dropped(self, points: int, reason: str) -> None:
        if self._telemetry is not None:
            self._telemetry.count("exporter_dropped_metric_points", points, exporter=self._id, reason=reason)


FACTORY = Factory(
    type="prometheus",
    kind=Kind.EXPORTER,
    stability=Stability.BETA,
    signals=frozenset({Signal.METRICS}),
    config=Config,
    create=PrometheusExporter,
)
