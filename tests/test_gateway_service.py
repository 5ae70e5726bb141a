"""A running gateway: written down, then acknowledged, then delivered to each destination on its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from probes import CATALOGUE, Inlet, Outlet, payload
from running_gateway import config_of, running

from otel_carbon.errors import (
    CarbonError,
    InvalidDataError,
    PermanentExportError,
    RetryableExportError,
    StorageError,
    UnavailableError,
)
from otel_carbon.gateway.service import Gateway
from otel_carbon.journal import Backlog
from otel_carbon.pipeline.component import Exporter, JournalEntry
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.pipeline.retry import RetryConfig
from otel_carbon.pipeline.undelivered import RefusedError, Undelivered

_TWO_OUTLETS = """\
    receivers: {inlet: }
    processors: {marker: , marker/second: }
    exporters: {outlet/a: {required: x}, outlet/b: {required: x}}
    service:
      pipelines:
        traces: {receivers: [inlet], processors: [marker], exporters: [outlet/a, outlet/b]}
    """


def _running(text: str, data_dir: Path, *, drain_timeout_s: float = 5.0) -> AbstractAsyncContextManager[Gateway]:
    return running(data_dir, config_of(text, CATALOGUE), drain_timeout_s)


def _inlet(gateway: Gateway) -> Inlet:
    (inlet,) = gateway.receivers.values()
    assert isinstance(inlet, Inlet)
    return inlet


def _outlet(gateway: Gateway, id_: str) -> Outlet:
    found: Exporter = gateway.exporters[id_]
    assert isinstance(found, Outlet)
    return found


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for is in another thread
        await asyncio.sleep(0.005)


async def test_a_payload_is_processed_written_and_delivered_to_every_exporter(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a, b = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        await _inlet(gateway).take(payload(b"1"), payload(b"2"))
        await _until(lambda: len(a.got) == len(b.got) == 2)

        assert a.got == b.got == [b"1+marker", b"2+marker"]
        assert a.shared["estimator"] == "estimator of marker"
    assert a.stopped


async def test_a_dead_exporter_does_not_stop_a_live_one(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        dead, live = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        dead.failing = RetryableExportError("connection refused")
        for number in range(50):
            await _inlet(gateway).take(payload(b"%d" % number))
        await _until(lambda: len(live.got) == 50 and dead.attempts > 3)

        assert dead.got == []
        cursor = gateway.describe()["cursors"]["outlet/a:traces"]
        assert cursor["last_error"] == "connection refused"
        assert cursor["waiting"]["payloads"] == 50
        dead.failing = None
        await _until(lambda: len(dead.got) == 50)
        assert dead.got == live.got
        assert gateway.describe()["cursors"]["outlet/a:traces"]["last_error"] is None


async def test_a_hanging_exporter_does_not_stop_a_live_one(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path, drain_timeout_s=0.05) as gateway:
        hanging, live = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        hanging.blocked.clear()
        await _inlet(gateway).take(payload(b"1"), payload(b"2"))
        await _until(lambda: len(live.got) == 2)

    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        again, live = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        await _until(lambda: len(again.got) == 2)
        assert (again.got, live.got) == ([b"1+marker", b"2+marker"], [])


async def test_what_could_not_be_delivered_is_delivered_after_the_next_start(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"1"))

    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        await _until(lambda: _outlet(gateway, "outlet/a").got == [b"1+marker"])


async def test_a_stopping_gateway_delivers_what_it_has(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        a.blocked.clear()
        for number in range(300):
            await _inlet(gateway).take(payload(b"%d" % number))
        a.blocked.set()
        left = await gateway.stop()

    assert left == ()
    assert a.got == [b"%d+marker" % number for number in range(300)]


async def test_what_a_destination_will_never_take_is_counted_and_passed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        a.failing = PermanentExportError("not of this kind")
        await _inlet(gateway).take(payload(b"bad", items=7))
        failed = lambda: gateway.telemetry.value("exporter_send_failed_spans", exporter="outlet/a")  # noqa: E731
        await _until(lambda: failed() == 7)
        a.failing = None
        await _inlet(gateway).take(payload(b"good", items=2))
        await _until(lambda: a.got == [b"good+marker"])

        assert gateway.telemetry.value("exporter_sent_spans", exporter="outlet/a") == 2
        assert gateway.telemetry.value("exporter_sent_spans", exporter="outlet/b") == 9
    assert (
        "exporter outlet/a: 7 items of traces are not taken and kept as dead letters: not of this kind" in caplog.text
    )


async def test_a_partly_taken_delivery_counts_what_was_lost_and_what_was_sent(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        bad = Undelivered(JournalEntry(1, 0, payload(b"bad")), "it was bad")
        _outlet(gateway, "outlet/a").failing = RefusedError([bad])
        await _inlet(gateway).take(payload(b"x", items=7))
        sent = lambda: gateway.telemetry.value("exporter_sent_spans", exporter="outlet/a")  # noqa: E731
        await _until(lambda: sent() == 6)

        assert gateway.telemetry.value("exporter_send_failed_spans", exporter="outlet/a") == 1


async def test_a_retry_that_is_limited_gives_up_and_counts(tmp_path: Path) -> None:
    text = _TWO_OUTLETS.replace(
        "outlet/a: {required: x}", "outlet/a: {required: x, retry_on_failure: {enabled: false}}"
    )
    async with _running(text, tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"x", items=3))
        failed = lambda: gateway.telemetry.value("exporter_send_failed_spans", exporter="outlet/a")  # noqa: E731
        await _until(lambda: failed() == 3)
        assert _outlet(gateway, "outlet/a").attempts == 1


async def test_a_fault_in_an_exporter_is_tried_again(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        a.failing = ZeroDivisionError("a fault")
        await _inlet(gateway).take(payload(b"1"))
        await _until(lambda: a.attempts == 1)

        assert gateway.describe()["cursors"]["outlet/a:traces"]["last_error"] == "a fault"
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        await _until(lambda: _outlet(gateway, "outlet/a").got == [b"1+marker"])


async def test_a_full_journal_refuses_and_says_so_until_there_is_room(tmp_path: Path) -> None:
    text = _TWO_OUTLETS.replace("service:\n", "service:\n      journal: {max_bytes: 20}\n")
    async with _running(text, tmp_path) as gateway:
        dead, inlet = _outlet(gateway, "outlet/a"), _inlet(gateway)
        dead.failing = RetryableExportError("down")
        await inlet.take(payload(b"1234"))  # 11 bytes with the mark
        assert gateway.unready_reason() is None

        with pytest.raises(UnavailableError, match="the journal is full"):
            await inlet.take(payload(b"1234"))
        dead.failing = None
        await _until(
            lambda: dead.got == [b"1234+marker"] and '"live_bytes": 0' in str(gateway.describe()).replace("'", '"')
        )
        await inlet.take(payload(b"5678"))
        await _until(lambda: len(dead.got) == 2)


async def test_workers_share_the_sizes_that_the_config_names(tmp_path: Path) -> None:
    sizes = "workers: 2\n      journal: {max_bytes: 40}\n      dead_letters: {max_bytes: 40}"
    async with _running(_TWO_OUTLETS.replace("service:\n", f"service:\n      {sizes}\n"), tmp_path) as gateway:
        dead, inlet = _outlet(gateway, "outlet/a"), _inlet(gateway)
        dead.failing = PermanentExportError("no")
        for body in (b"1234", b"5678"):  # 11 bytes each with the mark
            await inlet.take(payload(body))
            await _until(lambda: gateway.describe()["journal"]["live_bytes"] == 0)
        assert _letters(gateway) == [("5678+marker", "no")]

        dead.failing = RetryableExportError("down")
        await inlet.take(payload(b"1234"))
        with pytest.raises(UnavailableError, match="of 20 bytes wait"):
            await inlet.take(payload(b"1234"))


async def test_a_connector_sees_what_was_acknowledged_and_feeds_the_next_pipeline(tmp_path: Path) -> None:
    text = """\
        receivers: {inlet: }
        processors: {marker: }
        exporters: {outlet: {required: x}}
        connectors: {counter: }
        service:
          pipelines:
            traces: {receivers: [inlet], processors: [marker], exporters: [counter]}
            metrics: {receivers: [counter], exporters: [outlet]}
        """
    async with _running(text, tmp_path) as gateway:
        outlet = _outlet(gateway, "outlet")
        await _inlet(gateway).take(payload(b"1"))
        assert gateway.describe()["journal"]["live_bytes"] == 0  # nobody reads the traces
        await gateway.stop()

    assert outlet.got == [b"counted 1+marker"]


async def test_a_receiver_in_two_pipelines_is_acknowledged_when_both_have_it(tmp_path: Path) -> None:
    text = """\
        receivers: {inlet: }
        processors: {marker: , marker/second: }
        exporters: {outlet: {required: x}, outlet/logs: {required: x}}
        service:
          pipelines:
            traces: {receivers: [inlet], processors: [marker], exporters: [outlet]}
            traces/second: {receivers: [inlet], processors: [marker, marker/second], exporters: [outlet]}
            logs: {receivers: [inlet], exporters: [outlet/logs]}
        """
    async with _running(text, tmp_path) as gateway:
        await _inlet(gateway).take(payload(b"1"), payload(b"log", signal=Signal.LOGS))
        await _until(lambda: len(_outlet(gateway, "outlet").got) == 2 and len(_outlet(gateway, "outlet/logs").got) == 1)

        assert sorted(_outlet(gateway, "outlet").got) == [b"1+marker", b"1+marker+marker/second"]
        assert _outlet(gateway, "outlet/logs").got == [b"log"]
        assert set(_inlet(gateway).consumers) == {Signal.TRACES, Signal.LOGS}


async def test_a_large_body_is_processed_like_a_small_one(tmp_path: Path) -> None:
    body = bytes(3 << 20)
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        await _inlet(gateway).take(payload(body))
        await _until(lambda: _outlet(gateway, "outlet/a").got == [body + b"+marker"])


async def test_a_removed_exporter_is_named_with_what_it_did_not_get(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"1"), payload(b"2"))

    without = _TWO_OUTLETS.replace("outlet/a: {required: x}, ", "").replace("outlet/a, ", "")
    with caplog.at_level(logging.WARNING):
        async with _running(without, tmp_path):
            pass
    assert (
        "exporter and signal outlet/a:traces are no longer configured; 2 payloads were not delivered to it"
        in caplog.text
    )


async def test_a_port_that_is_taken_stops_what_was_started_and_frees_the_directory(tmp_path: Path) -> None:
    text = _TWO_OUTLETS.replace("{inlet: }", "{inlet: {endpoint: taken}}")
    gateway = Gateway(config_of(text, CATALOGUE), tmp_path, source="test")

    with pytest.raises(CarbonError, match="receivers::inlet: endpoint: cannot listen on taken"):
        await gateway.start()
    async with _running(_TWO_OUTLETS, tmp_path):
        pass


async def test_two_gateways_cannot_have_one_data_directory(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path):
        with pytest.raises(StorageError, match="is in use by process"):
            async with _running(_TWO_OUTLETS, tmp_path):
                pass


async def test_data_that_a_processor_refuses_is_not_acknowledged(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        with pytest.raises(InvalidDataError, match="empty"):
            await _inlet(gateway).take(payload(b""))
        assert gateway.describe()["journal"]["head"] == 0


async def test_the_metrics_show_queues_and_items_under_the_names_of_the_collector(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"1", items=3))
        await _until(lambda: _outlet(gateway, "outlet/b").got == [b"1+marker"])
        lines = gateway.metrics_text().splitlines()

    assert 'otelcarbon_exporter_queue_size{data_type="traces",exporter="outlet/a"} 8.0' in lines
    assert 'otelcarbon_exporter_queue_capacity{data_type="traces",exporter="outlet/a"} 2147483648.0' in lines
    assert 'otelcarbon_exporter_sent_spans{exporter="outlet/b"} 3.0' in lines
    assert 'otelcarbon_processor_incoming_items{otel_signal="traces",processor="marker"} 3.0' in lines
    assert "# TYPE otelcarbon_exporter_sent_spans counter" in lines


async def test_a_gateway_that_does_not_run_is_not_ready_and_can_be_stopped(tmp_path: Path) -> None:
    gateway = Gateway(config_of(_TWO_OUTLETS, CATALOGUE), tmp_path, source="test")

    assert gateway.unready_reason() == "the gateway is not running"
    assert await gateway.stop() == ()
    assert not (tmp_path / "journal.db").exists()


# ---- dead letters ---------------------------------------------------------------------------------------------------


def _letters(gateway: Gateway) -> list[tuple[str, str]]:
    assert gateway._dead_letters is not None
    found = gateway._dead_letters.letters()
    entries = [gateway._dead_letters.entry(letter) for letter in found]
    return [(entry.payload.body.decode(), letter.reason) for letter, entry in zip(found, entries, strict=True) if entry]


async def test_what_is_refused_is_kept_counted_and_visible(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = PermanentExportError("not of this kind")
        await _inlet(gateway).take(payload(b"bad", items=7))
        await _until(lambda: bool(_letters(gateway)))
        lines = gateway.metrics_text().splitlines()

        assert _letters(gateway) == [("bad+marker", "not of this kind")]
        assert 'otelcarbon_dead_letters{data_type="traces",exporter="outlet/a"} 1.0' in lines
        assert 'otelcarbon_dead_letters_size{data_type="traces",exporter="outlet/a"} 10.0' in lines
        assert gateway.describe()["dead_letters"] == [
            {"exporter": "outlet/a", "signal": "traces", "payloads": 1, "items": 7, "bytes": 10}
        ]


async def test_only_what_is_refused_is_kept_of_what_was_delivered_together(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        refused = Undelivered(JournalEntry(1, 0, payload(b"a part", items=2)), "too large")
        _outlet(gateway, "outlet/a").failing = RefusedError([refused])
        await _inlet(gateway).take(payload(b"whole", items=7))
        await _until(lambda: bool(_letters(gateway)))

        assert _letters(gateway) == [("a part", "too large")]


async def test_a_fault_of_one_entry_takes_no_other_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_carbon.gateway.delivery._UNFORESEEN", RetryConfig(enabled=False))
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        a.blocked.clear()
        a.fault = b"2+marker"
        await _inlet(gateway).take(*(payload(b"%d" % number) for number in range(4)))
        a.blocked.set()
        await _until(lambda: len(a.got) == 3)
        await _until(lambda: bool(_letters(gateway)))

        assert sorted(a.got) == [b"0+marker", b"1+marker", b"3+marker"]
        assert _letters(gateway) == [("2+marker", "a fault")]


async def test_nothing_is_passed_while_dead_letters_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_carbon.gateway.delivery._KEEP_AGAIN_S", 0.01)
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        assert gateway._dead_letters is not None
        gateway._dead_letters.close()
        a.failing = PermanentExportError("no")
        await _inlet(gateway).take(payload(b"1"))
        cursor = lambda: gateway.describe()["cursors"]["outlet/a:traces"]  # noqa: E731
        await _until(lambda: "dead letters" in (cursor()["last_error"] or ""))

        assert cursor()["waiting"]["payloads"] == 1
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        await _until(lambda: _outlet(gateway, "outlet/a").got == [b"1+marker"])


async def test_a_destination_that_stays_dead_keeps_what_fits_its_queue_and_the_newest(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a, b = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        a.failing = RetryableExportError("down")
        assert gateway._running is not None
        delivery = next(one for one in gateway._running.deliveries if one.route.exporter_id == "outlet/a")
        delivery._queue_limit = Backlog(payloads=2, items=1 << 40, bytes=1 << 40)
        for number in range(5):
            await _inlet(gateway).take(payload(b"%d" % number))
        await _until(lambda: len(_letters(gateway)) == 3)
        a.failing = None
        await _until(lambda: len(a.got) == 2)

        assert a.got == [b"3+marker", b"4+marker"]
        assert [body for body, _ in _letters(gateway)] == ["0+marker", "1+marker", "2+marker"]
        assert len(b.got) == 5
        assert gateway.telemetry.value("exporter_send_failed_spans", exporter="outlet/a") == 3


async def test_a_batch_waits_for_more_and_goes_when_the_gateway_stops(tmp_path: Path) -> None:
    async with _running(_TWO_OUTLETS, tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        a.wait_s = lambda entries, _now: 0.0 if len(entries) >= 3 else 60.0  # type: ignore[attr-defined]
        await _inlet(gateway).take(payload(b"1"), payload(b"2"))
        await _until(lambda: len(_outlet(gateway, "outlet/b").got) == 2)
        assert a.got == []
        await gateway.stop()

    assert a.got == [b"1+marker", b"2+marker"]
