"""The in-app processor: puts energy, gCO2e and region on every GenAI span when it ends."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry import baggage
from opentelemetry.context import Context, get_current
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import Span, SpanProcessor

from otel_carbon.processors.attributes import attribute_values, write_attributes
from otel_carbon.semconv.carbon import OTEL_CARBON_STATUS

if TYPE_CHECKING:
    from otel_carbon.estimator import Estimator
    from otel_carbon.processors.enrichment import SightingWriter
    from otel_carbon.spans import SpanReader

__all__ = ["CarbonSpanProcessor"]

_log = logging.getLogger(__name__)

_MOST_HANDLED = 4096
_BAGGAGE_KEY: object = getattr(baggage, "_BAGGAGE_KEY", "baggage")
_UNSEEN: dict[str, str | float] = {}


class CarbonSpanProcessor(SpanProcessor):
    """Estimates every GenAI call as its span ends, and marks the span with the result.

    It never raises into the application: what goes wrong is logged, once per kind as a warning. The application's own
    attributes are never changed or evicted. Spans that already carry `otel_carbon.status` are left alone. A span that
    is recorded but not sampled is estimated too, so that counters and ledger are complete under `KeepGenAI`.

    Register it before the exporting processors on an SDK older than 1.40, as `otel_carbon.install()` does.

    Args:
        estimator: what estimates; by default the newest factor set with the settings of its own defaults.
        reader: what reads spans; by default the dialects that come with the package.
        ledger: path of a local ledger, or its writer; every GenAI-related span is then recorded in it.
        meter_provider: where the counters go; by default the global one, as soon as one is set.
        metrics: False counts nothing, `histogram` adds the distribution `otel_carbon.operation.co2e`.
        baggage_keys: attribute keys that are taken from W3C baggage too, where the span does not name the party; by
            default our own names. Each names a party in the reader's attribution rules.
        metrics_attributes: parties that are attributes of the metrics too: service, environment, tenant, project,
            workload, agent.
        metrics_attribute_limit: values of one metric attribute that are told apart; what is beyond is added up.
        every_call_seen: the sampler drops no GenAI span (`KeepGenAI`), so each span stands for itself alone.

    Raises:
        ConfigError: a baggage key names no party, or a party cannot be an attribute of the metrics.
        MissingExtraError: a ledger is asked for and the extra `ledger` is not installed.
        StorageError: the ledger cannot be opened.
    """

    def __init__(
        self,
        estimator: Estimator | None = None,
        reader: SpanReader | None = None,
        ledger: str | Path | SightingWriter | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        metrics: bool | Literal["histogram"] = True,
        baggage_keys: tuple[str, ...] | None = None,
        metrics_attributes: tuple[str, ...] = (),
        metrics_attribute_limit: int | None = None,
        every_call_seen: bool = False,
    ) -> None:
        # What works on spans takes longer to import than the SDK's own part, so it is loaded with the first processor.
        from otel_carbon.processors.enrichment import Enrichment  # noqa: PLC0415 - see above

        self._enrichment = Enrichment(
            estimator,
            reader,
            ledger,
            meter_provider,
            metrics=metrics,
            baggage_keys=baggage_keys,
            metrics_attributes=metrics_attributes,
            metrics_attribute_limit=metrics_attribute_limit,
            every_call_seen=every_call_seen,
        )
        self._markers = self._enrichment.markers
        self._baggage = self._enrichment.baggage
        self._noted = self._baggage.noted
        self._handled: dict[int, dict[str, str | float] | None] = {}
        self._warned: set[type[Exception]] = set()
        self._active = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note who the baggage names: what a call used is known when its span ends, maybe in another context."""
        try:
            context = get_current() if parent_context is None else parent_context
            if _BAGGAGE_KEY in context:
                self._baggage.note(span, context)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    def _on_ending(self, span: Any) -> None:
        """Enrich a span before any processor's `on_end`. Called by SDK 1.40 and newer."""
        try:
            values = attribute_values(span._attributes)
            if not self._markers.isdisjoint(values) and self._active:
                if len(self._handled) >= _MOST_HANDLED:  # only a processor that raised can leave any behind
                    self._handled.clear()
                self._handled[span.context.span_id] = self._enrichment.take(span, values)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    def on_end(self, span: Any) -> None:
        """Enrich a span that every processor after this one shares, where `_on_ending` was not called for it."""
        try:
            values = attribute_values(span._attributes)
            handled = self._handled
            written = handled.pop(span.context.span_id, _UNSEEN) if handled else _UNSEEN
            if written is _UNSEEN:
                if not self._markers.isdisjoint(values) and self._active:
                    self._enrichment.take(span, values)
            elif written is not None and OTEL_CARBON_STATUS not in values:
                write_attributes(span, {key: written[key] for key in written if key not in values})
            if self._noted:
                self._noted.pop(span.context.span_id, None)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait for the ledger, and return True: older SDKs flush no processor behind one that does not."""
        try:
            self._enrichment.flush(timeout_millis / 1000.0)
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)
        return True

    def shutdown(self) -> None:
        """Write what is left to the ledger, and estimate nothing more. Safe to call twice."""
        if not self._active:
            return
        self._active = False
        try:
            self._enrichment.close()
        except Exception as error:  # noqa: BLE001 - it would reach the application's own code
            self._warn_once(error)

    @property
    def active(self) -> bool:
        """Return whether spans are still enriched: not after `shutdown`."""
        return self._active

    def _warn_once(self, error: Exception) -> None:
        kind = type(error)
        level = logging.DEBUG if kind in self._warned else logging.WARNING
        self._warned.add(kind)
        _log.log(level, "a span was left without carbon: %s: %s", kind.__name__, error, exc_info=error)
