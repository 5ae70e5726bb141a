"""`LedgerSpanExporter`: the ledger as a span exporter of the SDK, for any span processor."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from otel_carbon.errors import CarbonError
from otel_carbon.estimator import Estimator, settings_from_environment
from otel_carbon.factors import FactorTables
from otel_carbon.ledger import Ledger, ledger_path
from otel_carbon.ledger.extra import require_ledger_extra
from otel_carbon.ledger.forks import abandon, watch_forks
from otel_carbon.model import Call, Sighting, SpanIdentity
from otel_carbon.spans import SpanReader, adjusted_count, read_mark

__all__ = ["LedgerSpanExporter"]

_logger = logging.getLogger(__name__)


class LedgerSpanExporter(SpanExporter):
    """Keeps every GenAI call that a span processor exports in a local ledger. Thread-safe, and usable after a fork.

    It records in the thread that exports: put it behind a `BatchSpanProcessor`. `path` is a file or a `sqlite:///`
    URL. By default calls are estimated with the settings of the environment (`OTEL_CARBON_*`) and read by the bundled
    table of dialects.

    Raises:
        ConfigError: the path is a URL of another kind of database, or an environment variable is wrong.
        MissingExtraError: the extra `ledger` is not installed.
    """

    def __init__(self, path: str | Path, estimator: Estimator | None = None, reader: SpanReader | None = None) -> None:
        require_ledger_extra("LedgerSpanExporter")
        self.path = ledger_path(path)
        self._estimator = estimator or Estimator(FactorTables.bundled(), settings_from_environment(os.environ))
        self._reader = reader or SpanReader.bundled()
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()
        self._closed = False
        watch_forks(self)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Record the GenAI-related ones of these spans. FAILURE: the ledger did not take them."""
        seen = [sighting for sighting in map(self._sighting, spans) if sighting is not None]
        with self._lock:
            if self._closed:
                return SpanExportResult.FAILURE
            try:
                if seen:
                    self._opened().record(seen, source="sdk")
            except CarbonError as error:
                _logger.warning("%d spans are not in the ledger: %s", len(seen), error)
                return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the ledger. Safe to call twice."""
        with self._lock:
            self._closed = True
            ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - every export is on disk when it ends
        """Return True: nothing waits here."""
        return True

    def before_fork(self) -> None:
        """Wait for the export that is on its way: SQLite's own locks are copied by a fork, too."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Open the ledger anew at the next export; the parent's connection is left alone."""
        self._lock = threading.Lock()
        if self._ledger is not None:
            abandon(self._ledger)
        self._ledger = None

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger.open(self.path, estimator=self._estimator)
        return self._ledger

    def _sighting(self, span: ReadableSpan) -> Sighting | None:
        attributes: Mapping[str, Any] = dict(span.attributes or {})
        context, scope = span.context, span.instrumentation_scope
        if context is None or not self._reader.looks_genai(attributes):
            return None
        resource = span.resource.attributes
        started, ended = span.start_time or 0, span.end_time or 0
        read = self._reader.read(
            attributes,
            scope_name=scope.name if scope is not None else "",
            scope_version=(scope.version or "") if scope is not None else "",
            resource=resource,
            kind=span.kind.value + 1,  # the API counts from INTERNAL, OTLP has UNSPECIFIED before it
            failed=span.status.status_code is StatusCode.ERROR,
            started_unix_nano=started,
            ended_unix_nano=ended,
        )
        if read is None:
            return None
        return Sighting(
            SpanIdentity(
                f"{context.trace_id:032x}",
                f"{context.span_id:016x}",
                f"{span.parent.span_id:016x}" if span.parent is not None else "",
            ),
            started,
            ended,
            self._reader.attribution(attributes, resource),
            read if isinstance(read, Call) else None,
            read_mark(attributes),
            adjusted_count(_trace_state(context.trace_state)),
            scope.name if scope is not None else None,
        )


def _trace_state(trace_state: Mapping[str, str] | None) -> str:
    value = trace_state.get("ot") if trace_state else None
    return f"ot={value}" if value else ""
