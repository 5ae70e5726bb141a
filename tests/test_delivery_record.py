"""What the log says of deliveries while the same trouble goes on."""

from __future__ import annotations

import logging

import pytest

from otel_carbon.gateway import delivery_record
from otel_carbon.gateway.delivery_record import DeliveryRecord, DeliveryState
from otel_carbon.gateway.graph import ExporterRoute
from otel_carbon.gateway.telemetry import SelfMetrics
from otel_carbon.journal.dead_letters import Kept
from otel_carbon.pipeline.pdata import Signal


class _Clock:
    """Stands for the module `time`."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


def test_dead_letters_that_make_room_all_the_time_are_logged_together(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, telemetry = _Clock(), SelfMetrics()
    monkeypatch.setattr(delivery_record, "time", clock)
    record = DeliveryRecord(
        ExporterRoute("otlp_http", Signal.TRACES, frozenset({"traces"})), DeliveryState(), telemetry
    )

    with caplog.at_level(logging.WARNING):
        for _ in range(31):
            record.dropped(Kept(2, 10))
            clock.now_s += 1.0

    assert [one.args for one in caplog.records] == [(2, 10), (60, 300)]
    dropped = next(each for each in telemetry.families() if each.name == "dead_letters_dropped")
    assert sum(dropped.values.values()) == 62
