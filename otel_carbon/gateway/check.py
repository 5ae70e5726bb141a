"""What a config cannot show by itself: whether its files can be used, and whether its components take it."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from pathlib import Path

from otel_carbon.errors import ConfigError, UnavailableError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.graph_builder import build_graph
from otel_carbon.gateway.listeners import listeners, parts
from otel_carbon.gateway.problems import Problems
from otel_carbon.gateway.service_config import TelemetryConfig, share_bytes
from otel_carbon.gateway.sizes import size_text
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.pipeline.pdata import Payload
from otel_carbon.pipeline.tally import Tally
from otel_carbon.security.guard import Guard

__all__ = ["check_config", "check_start"]

_REQUEST_LIMITS = {"max_recv_msg_size_mib": 1 << 20, "max_request_body_size": 1}
"""Keys of receivers that say how large a request may be, and what they count."""


def check_config(config: GatewayConfig, *, source: str, with_files: bool = True) -> None:
    """Check all that `serve` checks, components included: they are built and thrown away, nothing is started.

    `with_files=False` leaves out the files of what listens.

    Raises:
        ConfigError: something cannot work; the message, after `source`, holds every problem.
    """
    found: list[str] = []
    for check in (partial(check_start, with_files=with_files), _check_components):
        try:
            check(config, source=source)
        except ConfigError as error:
            found.append(str(error))
    if found:
        raise ConfigError("\n".join(found))


def check_start(config: GatewayConfig, *, source: str, with_files: bool = True) -> None:
    """Check what would stop a gateway, or a sender, before any component is built: no port is touched.

    Raises:
        ConfigError: a file of TLS or tokens cannot be used, or the journal cannot hold a request; the message, after
            `source`, holds every problem.
    """
    problems = Problems()
    configs = {kind: {id_: one.config for id_, one in group.items()} for kind, group in config.components.items()}
    for path, listener in listeners(configs, config.service) if with_files else ():
        try:
            Guard(listener, path).check()
        except ConfigError as error:
            problems.add("", str(error))
    if with_files:
        _check_telemetry(config.service.telemetry, problems)
    limits = [
        (f"{path}::{key}", getattr(part, key) * unit)
        for path, part in parts(configs, config.service)
        for key, unit in _REQUEST_LIMITS.items()
        if hasattr(part, key)
    ]
    _check_journal(config, limits, problems)
    problems.raise_if_any(source)


def _check_telemetry(telemetry: TelemetryConfig, problems: Problems) -> None:
    try:
        telemetry.energy.meter()
    except ConfigError as error:
        problems.add("", str(error))
    for number, processor in enumerate(telemetry.traces.processors):
        certificate = processor.batch.exporter.otlp.certificate
        try:
            if certificate is not None:
                Path(certificate).read_bytes()
        except OSError as error:
            key = f"service::telemetry::traces::processors[{number}]::batch::exporter::otlp::certificate"
            problems.add(key, f"cannot read {certificate}: {error.strerror}")


def _check_journal(config: GatewayConfig, limits: list[tuple[str, int]], problems: Problems) -> None:
    """Note a journal that has no room for a request that is let in: its sender would be told to come back for ever."""
    service = config.service
    max_bytes, workers = service.journal.max_bytes, service.workers
    key, limit_bytes = max(limits, key=lambda limit: limit[1], default=("", 0))
    if share_bytes(service, max_bytes) >= limit_bytes:
        return
    each = f"{size_text(max_bytes)}, dealt out to {workers} workers," if workers > 1 else size_text(max_bytes)
    problems.add(
        "service::journal::max_bytes",
        f"{each} cannot hold one request of {size_text(limit_bytes)}, which {key} lets in; "
        f"write at least {size_text(limit_bytes * workers)}, or let only smaller ones in",
    )


def _check_components(config: GatewayConfig, *, source: str) -> None:
    shared = {
        "telemetry": SelfMetrics(),
        "tallies": list[Tally](),
        "data_dir": Path(),
        "journal_id": "",
        "no_room": lambda: None,
    }
    build_graph(config, shared, _refuse, source=source)


def _refuse(_pipeline_id: str, _payload: Payload) -> Future[int]:
    raise UnavailableError("this gateway is only being checked")
