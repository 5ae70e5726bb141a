"""What a delivery says about itself: state, counters, log."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from otel_carbon.errors import PermanentExportError, RetryableExportError, StorageError, UnavailableError
from otel_carbon.gateway.graph import ExporterRoute
from otel_carbon.journal.dead_letters import Kept
from otel_carbon.pipeline.component import JournalEntry, Telemetry
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.undelivered import Undelivered, items_of

__all__ = ["DeliveryRecord", "DeliveryState"]

_LOG = logging.getLogger(__name__)
_ITEMS = {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}
_LOG_EVERY_S = 30.0
_FORESEEN = (PermanentExportError, RetryableExportError, StorageError, UnavailableError)


@dataclass(slots=True)
class DeliveryState:
    """What can be seen of a delivery from outside. `last_error` is None while the destination takes data."""

    in_flight: int = 0
    failing_since_unix_s: float | None = None
    last_error: str | None = None


class DeliveryRecord:
    """Counts and logs for one exporter and signal, the same trouble not more than every half minute."""

    def __init__(self, route: ExporterRoute, state: DeliveryState, telemetry: Telemetry) -> None:
        self._route = route
        self._state = state
        self._telemetry = telemetry
        self._logged_s = self._drops_logged_s = float("-inf")
        self._dropped = Kept()

    def success(self, entries: Sequence[JournalEntry]) -> None:
        """Note that a destination has all of them."""
        self._count("sent", _items(entries))
        if self._state.last_error is not None:
            _LOG.info("exporter %s: %s are delivered again", self._route.exporter_id, self._route.signal)
        self._state.last_error = self._state.failing_since_unix_s = None
        self._logged_s = float("-inf")

    def failure(self, error: Exception, backlog: int) -> None:
        """Note that it will be tried again."""
        if self._state.last_error is None:
            self._state.failing_since_unix_s = time.time()
        self._state.last_error = str(error) or type(error).__name__
        self._log("exporter %s: up to %d payloads of %s wait for it: %s", backlog, error)

    def loss(self, entries: Sequence[JournalEntry], left: Sequence[Undelivered], error: Exception) -> None:
        """Note what will never be taken, or not any more, and lies with the dead letters."""
        lost = items_of(left)
        sent = _items(entries) - lost
        if sent > 0:
            self._count("sent", sent)
        self._count("send_failed", lost)
        self._log("exporter %s: %d items of %s are not taken and kept as dead letters: %s", lost, error)

    def dropped(self, kept: Kept) -> None:
        """Note dead letters that had to make room."""
        if not kept.dropped_letters:
            return
        self._telemetry.count("dead_letters_dropped", kept.dropped_letters)
        before = self._dropped
        self._dropped = Kept(before.dropped_letters + kept.dropped_letters, before.dropped_items + kept.dropped_items)
        if time.monotonic() - self._drops_logged_s < _LOG_EVERY_S:
            return
        self._drops_logged_s = time.monotonic()
        _LOG.warning(
            "the oldest %d dead letters, with %d items, had to go; service::dead_letters::max_bytes is the limit",
            self._dropped.dropped_letters,
            self._dropped.dropped_items,
        )
        self._dropped = Kept()

    def _log(self, message: str, number: int, error: Exception) -> None:
        if time.monotonic() - self._logged_s < _LOG_EVERY_S:
            return
        self._logged_s = time.monotonic()
        trace = None if isinstance(error, _FORESEEN) else error
        _LOG.warning(message, self._route.exporter_id, number, self._route.signal, error, exc_info=trace)

    def _count(self, what: str, items: int) -> None:
        self._telemetry.count(f"exporter_{what}_{_ITEMS[self._route.signal]}", items, exporter=self._route.exporter_id)


def _items(entries: Sequence[JournalEntry]) -> int:
    return sum(entry.payload.items for entry in entries)
