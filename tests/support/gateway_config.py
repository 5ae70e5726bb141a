"""The gateway that is crashed, cut off and starved: traces by gRPC and HTTP to a sink, and into a ledger."""

from __future__ import annotations

from pathlib import Path

__all__ = ["config_to_sink"]


def config_to_sink(sink: str, *, ledger: Path | None = None, fsync: bool = True) -> str:
    """Return a config that sends to an address; without a path, the ledger is in the data directory."""
    return f"""
receivers: {{otlp: {{protocols: {{grpc: , http: }}}}}}
processors: {{carbon: }}
exporters:
  otlp_grpc/sink:
    endpoint: {sink}
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 200ms}}
  ledger: {"" if ledger is None else f'{{url: "sqlite:///{ledger}"}}'}
service:
  journal: {{fsync: {str(fsync).lower()}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [carbon], exporters: [otlp_grpc/sink, ledger]}}}}
"""
