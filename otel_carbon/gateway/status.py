"""What can be seen of a running gateway: gauges, readiness, the state of every pipeline and cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from otel_carbon.errors import StorageError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.delivery import Delivery
from otel_carbon.gateway.graph import Graph
from otel_carbon.gateway.own_footprint import OwnFootprint
from otel_carbon.gateway.telemetry import Labels, SelfMetrics
from otel_carbon.journal import Journal
from otel_carbon.journal.dead_letters import DeadLetters, Shelf

__all__ = ["describe", "register_gauges", "register_own", "unready_reason"]


def unready_reason(journal: Journal, graph: Graph) -> str | None:
    """Return why the gateway should get no traffic now, every reason of it; None when it should."""
    asked = (refusal() for refusals in graph.refusals.values() for refusal in refusals)
    return "; ".join(dict.fromkeys(reason for reason in (journal.refusal(), *asked) if reason is not None)) or None


def register_gauges(
    telemetry: SelfMetrics, journal: Journal, deliveries: Sequence[Delivery], dead_letters: DeadLetters
) -> None:
    """Let the gateway's metrics show journal and cursors. A queue is what waits in the journal for one exporter."""
    telemetry.gauge("journal_size", lambda: {(): float(journal.live_bytes)})
    telemetry.gauge("journal_oldest_age_seconds", lambda: {(): journal.oldest_s})
    telemetry.gauge("journal_damaged_payloads", lambda: {(): float(journal.damage.payloads)})
    telemetry.gauge("journal_damaged_items", lambda: {(): float(journal.damage.items)})
    telemetry.gauge(
        "exporter_queue_size",
        lambda: {_labels(one): float(journal.backlog(one.route.cursor).bytes) for one in deliveries},
    )
    telemetry.gauge("exporter_queue_capacity", lambda: {_labels(one): float(journal.max_bytes) for one in deliveries})
    telemetry.gauge(
        "exporter_in_flight_requests", lambda: {_labels(one): float(one.state.in_flight) for one in deliveries}
    )
    telemetry.gauge("dead_letters", lambda: {_shelf_labels(one): float(one.letters) for one in _shelves(dead_letters)})
    telemetry.gauge(
        "dead_letters_size", lambda: {_shelf_labels(one): float(one.bytes) for one in _shelves(dead_letters)}
    )


def register_own(telemetry: SelfMetrics, own: OwnFootprint) -> None:
    """Let the gateway's metrics show its own energy and emissions, by bound."""
    names = {
        "process_energy_joules": "energy_joules",
        "process_co2e_grams": "co2e_grams",
        "measured_co2e_grams": "measured_co2e_grams",
        "process_co2e_ratio": "ratio",
    }
    for name, key in names.items():
        telemetry.gauge(name, partial(_bounds, own, key))


def _bounds(own: OwnFootprint, key: str) -> dict[Labels, float]:
    interval = own.read().get(key)
    if interval is None:
        return {}
    return {(("bound", bound),): getattr(interval, bound) for bound in ("low", "central", "high")}


def describe(
    graph: Graph,
    config: GatewayConfig,
    journal: Journal,
    deliveries: Sequence[Delivery],
    dead_letters: DeadLetters,
) -> dict[str, Any]:
    """Return the state of everything as plain values. Reads the journal, so not for the event loop."""
    return {
        "pipelines": {
            id_: {
                "receivers": list(pipeline.receivers),
                "processors": list(pipeline.processors),
                "exporters": list(pipeline.exporters),
            }
            for id_, pipeline in config.service.pipelines.items()
        },
        "receivers": {id_: dict(receiver.endpoints) for id_, receiver in graph.receivers.items()},
        "journal": {
            "id": journal.id,
            "head": journal.head,
            "live_bytes": journal.live_bytes,
            "max_bytes": journal.max_bytes,
            "oldest_age_s": round(journal.oldest_s, 3),
            "failure": journal.failure,
            "damage": {
                "payloads": journal.damage.payloads,
                "items": journal.damage.items,
                "kept_in": list(journal.damage.kept_in),
            },
        },
        "cursors": {one.route.cursor: _cursor(journal, one) for one in deliveries},
        "dead_letters": [
            {
                "exporter": one.exporter_id,
                "signal": one.signal.value,
                "payloads": one.letters,
                "items": one.items,
                "bytes": one.bytes,
            }
            for one in _shelves(dead_letters)
        ],
    }


def _cursor(journal: Journal, delivery: Delivery) -> dict[str, Any]:
    backlog = journal.backlog(delivery.route.cursor)
    since = delivery.state.failing_since_unix_s
    return {
        "exporter": delivery.route.exporter_id,
        "signal": delivery.route.signal.value,
        "position": journal.position(delivery.route.cursor),
        "waiting": {"payloads": backlog.payloads, "items": backlog.items, "bytes": backlog.bytes},
        "in_flight": delivery.state.in_flight,
        "last_error": delivery.state.last_error,
        "failing_since": datetime.fromtimestamp(since, UTC).isoformat() if since is not None else None,
    }


def _shelves(dead_letters: DeadLetters) -> Sequence[Shelf]:
    try:
        return dead_letters.shelves()
    except StorageError:  # the page and the metrics must be there when the disk is not
        return ()


def _shelf_labels(shelf: Shelf) -> Labels:
    return (("data_type", shelf.signal.value), ("exporter", shelf.exporter_id))


def _labels(delivery: Delivery) -> Labels:
    return (("data_type", delivery.route.signal.value), ("exporter", delivery.route.exporter_id))
