"""The config of a gateway that was given none."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["default_config_text"]

_TEXT = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: 127.0.0.1:4317}
      http: {endpoint: 127.0.0.1:4318}
processors:
  carbon: {}
exporters:
  ledger: {}
  prometheus: {endpoint: 127.0.0.1:PROMETHEUS_PORT}
connectors:
  carbon_metrics: {}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [carbon], exporters: [ledger, carbon_metrics]}
    metrics: {receivers: [otlp, carbon_metrics], exporters: [prometheus]}
"""
_PROMETHEUS_PORT = 9464


def default_config_text(addresses: Mapping[str, str | None] | None = None) -> str:
    """Return the default config as YAML.

    Who asks for any free port (`host:0`) of one of the addresses wants to stand beside another gateway, so that the
    Prometheus endpoint takes any free port too.
    """
    beside = any(address is not None and address.endswith(":0") for address in (addresses or {}).values())
    return _TEXT.replace("PROMETHEUS_PORT", "0" if beside else str(_PROMETHEUS_PORT))
