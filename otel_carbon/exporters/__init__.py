"""Exporters deliver telemetry: one module per component type. The catalogue is `exporters/README.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_carbon.exporters.ledger_span_exporter import LedgerSpanExporter

__all__ = ["LedgerSpanExporter"]


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for, so that an application does not pay for what it does not use."""
    if name == "LedgerSpanExporter":
        from otel_carbon.exporters.ledger_span_exporter import LedgerSpanExporter  # noqa: PLC0415  see above

        return LedgerSpanExporter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
