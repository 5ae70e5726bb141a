"""A gateway takes another config over while it runs: nothing is lost or cut off, and a wrong one changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from probes import CATALOGUE, Inlet, Outlet, payload
from running_gateway import config_of, running

from otel_carbon.errors import CarbonError, ConfigError, RetryableExportError, UnavailableError
from otel_carbon.gateway.config import GatewayConfig
from otel_carbon.gateway.reload import Reloader
from otel_carbon.gateway.service import Gateway
from otel_carbon.pipeline.pdata import Signal

_BEFORE = """\
    receivers: {inlet: }
    processors: {marker: , marker/second: }
    exporters: {outlet/a: {required: x}, outlet/b: {required: x}}
    connectors: {counter: }
    service:
      pipelines:
        traces: {receivers: [inlet], processors: [marker], exporters: [outlet/a, counter]}
        metrics: {receivers: [counter], exporters: [outlet/b]}
    """
_WITH_B = _BEFORE.replace("exporters: [outlet/a, counter]", "exporters: [outlet/a, outlet/b, counter]")


def _config(text: str) -> GatewayConfig:
    return config_of(text, CATALOGUE)


def _running(data_dir: Path, text: str = _BEFORE) -> AbstractAsyncContextManager[Gateway]:
    return running(data_dir, _config(text))


def _inlet(gateway: Gateway, id_: str = "inlet") -> Inlet:
    inlet = gateway.receivers[id_]
    assert isinstance(inlet, Inlet)
    return inlet


def _outlet(gateway: Gateway, id_: str) -> Outlet:
    outlet = gateway.exporters[id_]
    assert isinstance(outlet, Outlet)
    return outlet


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for is in another thread
        await asyncio.sleep(0.005)


def _reloader(gateway: Gateway, texts: list[str], followed: list[GatewayConfig]) -> Reloader:
    return Reloader(gateway, lambda: _config(texts.pop(0)), followed.append, lambda: None)


async def test_a_receiver_stays_and_feeds_the_new_pipelines(tmp_path: Path) -> None:
    async with _running(tmp_path) as gateway:
        inlet, before = _inlet(gateway), _outlet(gateway, "outlet/a")
        await inlet.take(payload(b"1"))
        await _until(lambda: before.got == [b"1+marker"])

        await gateway.reload(_config(_WITH_B.replace("processors: [marker]", "processors: [marker, marker/second]")))
        await inlet.take(payload(b"2"))

        assert _inlet(gateway) is inlet
        a, b = _outlet(gateway, "outlet/a"), _outlet(gateway, "outlet/b")
        await _until(lambda: a.got == b.got == [b"2+marker+marker/second"])
        assert before.stopped
        assert inlet.running


async def test_a_reload_under_load_loses_nothing_and_delivers_nothing_twice(tmp_path: Path) -> None:
    async with _running(tmp_path, _WITH_B) as gateway:
        inlet, done, outlets = _inlet(gateway), asyncio.Event(), [_outlet(gateway, "outlet/a")]
        sent: list[bytes] = []

        async def send() -> None:
            while not done.is_set():
                sent.append(b"%d" % len(sent))
                await inlet.take(payload(sent[-1]))

        senders = [asyncio.create_task(send()) for _ in range(4)]
        for round_ in range(6):
            await asyncio.sleep(0.02)
            await gateway.reload(_config(_WITH_B if round_ % 2 else _WITH_B.replace("[marker]", "[marker/second]")))
            outlets.append(_outlet(gateway, "outlet/a"))
        done.set()
        await asyncio.gather(*senders)
        await _until(lambda: sum(len(each.got) for each in outlets) >= len(sent))

        got = [body.split(b"+")[0] for each in outlets for body in each.got]
        assert len(sent) > 50
        assert sorted(got) == sorted(sent)
        assert got == sorted(got, key=int)


async def test_what_a_destination_had_not_got_is_delivered_by_the_new_one(tmp_path: Path) -> None:
    async with _running(tmp_path) as gateway:
        _outlet(gateway, "outlet/a").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"1"), payload(b"2"))

        await gateway.reload(_config(_BEFORE.replace("outlet/a: {required: x}", "outlet/a: {required: moved}")))

        moved = _outlet(gateway, "outlet/a")
        await _until(lambda: moved.got == [b"1+marker", b"2+marker"])


async def test_a_delivery_that_hangs_does_not_stop_a_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_carbon.gateway.running._HANDOVER_S", 0.05)
    async with _running(tmp_path) as gateway:
        _outlet(gateway, "outlet/a").blocked.clear()
        await _inlet(gateway).take(payload(b"1"))

        await gateway.reload(_config(_BEFORE))

        again = _outlet(gateway, "outlet/a")
        await _until(lambda: again.got == [b"1+marker"])


async def test_an_exporter_that_is_taken_out_is_named_with_what_it_did_not_get(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with _running(tmp_path, _WITH_B) as gateway:
        _outlet(gateway, "outlet/b").failing = RetryableExportError("down")
        await _inlet(gateway).take(payload(b"1"))
        with caplog.at_level(logging.WARNING):
            await gateway.reload(_config(_BEFORE))

    assert "outlet/b:traces are no longer configured; 1 payloads were not delivered" in caplog.text


async def test_a_connector_keeps_its_sums_while_nothing_about_it_changes(tmp_path: Path) -> None:
    async with _running(tmp_path) as gateway:
        await _inlet(gateway).take(payload(b"1"))
        await gateway.reload(_config(_WITH_B))
        await _inlet(gateway).take(payload(b"2"))
        b = _outlet(gateway, "outlet/b")
        await gateway.stop(5.0)

    counted = [body for body in b.got if body.startswith(b"counted")]
    assert counted == [b"counted 1+marker", b"counted 2+marker"]


async def test_receivers_come_and_go_and_a_signal_too(tmp_path: Path) -> None:
    async with _running(tmp_path) as gateway:
        inlet = _inlet(gateway)
        assert set(inlet.consumers) == {Signal.TRACES}
        more = _BEFORE.replace("{inlet: }", "{inlet: , inlet/new: }").replace(
            "traces: {receivers: [inlet]",
            "logs: {receivers: [inlet, inlet/new], exporters: [outlet/b]}\n        traces: {receivers: [inlet]",
        )
        await gateway.reload(_config(more))
        new = _inlet(gateway, "inlet/new")
        assert set(inlet.consumers) == {Signal.TRACES, Signal.LOGS}
        await new.take(payload(b"log", signal=Signal.LOGS))

        await gateway.reload(_config(_BEFORE))
        assert not new.running
        with pytest.raises(UnavailableError, match="no pipeline takes logs any more"):
            await inlet.consumers[Signal.TRACES](payload(b"late", signal=Signal.LOGS))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            _BEFORE.replace("{inlet: }", "{inlet: {limits: {size: 1}}}"),
            "gateway.yaml: receivers::inlet::limits::size: ",
        ),
        (_BEFORE.replace("service:\n", "service:\n      data_dir: /elsewhere\n"), "gateway.yaml: service::data_dir: "),
        (_BEFORE.replace("service:\n", "service:\n      journal: {fsync: false}\n"), "service::journal::fsync: "),
    ],
)
async def test_what_cannot_change_is_named_and_the_gateway_goes_on(tmp_path: Path, changed: str, message: str) -> None:
    async with _running(tmp_path) as gateway:
        a = _outlet(gateway, "outlet/a")
        with pytest.raises(ConfigError, match=f"{message}cannot change while the gateway runs; restart it"):
            await gateway.reload(_config(changed))
        await _inlet(gateway).take(payload(b"1"))
        await _until(lambda: a.got == [b"1+marker"])


async def test_a_component_that_cannot_start_brings_the_earlier_config_back(tmp_path: Path) -> None:
    """What only the earlier config has, and had not delivered, is not lost by that."""
    async with _running(tmp_path, _WITH_B) as gateway:
        _outlet(gateway, "outlet/b").failing = RetryableExportError("down")
        inlet = _inlet(gateway)
        await inlet.take(payload(b"1"))
        taken = _BEFORE.replace("{inlet: }", "{inlet: , inlet/new: {endpoint: taken}}").replace(
            "metrics: {receivers: [counter]", "metrics: {receivers: [counter, inlet/new]"
        )

        with pytest.raises(CarbonError, match="receivers::inlet/new: endpoint: cannot listen on taken"):
            await gateway.reload(_config(taken))

        assert gateway.is_running
        assert _inlet(gateway) is inlet
        b = _outlet(gateway, "outlet/b")
        await _until(lambda: b.got == [b"1+marker"])
        await inlet.take(payload(b"2"))
        await _until(lambda: b.got == [b"1+marker", b"2+marker"])


async def test_where_not_even_the_earlier_config_starts_again_the_gateway_is_gone(tmp_path: Path) -> None:
    broken = _BEFORE.replace("outlet/a: {required: x}", "outlet/a: {required: broken}")
    async with _running(tmp_path) as gateway:
        gateway.config = _config(broken)  # as if it could not be started any more

        with pytest.raises(CarbonError, match="exporters::outlet/a: required: is broken"):
            await _reloader(gateway, [broken], []).reload()
        assert gateway.unready_reason() == "the gateway is not running"


async def test_the_reloader_tells_how_it_went(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    followed: list[GatewayConfig] = []
    async with _running(tmp_path) as gateway:
        reloader = _reloader(
            gateway, [_WITH_B, _BEFORE.replace("[outlet/a, counter]", "[outlet/c, counter]")], followed
        )
        await reloader.reload()
        assert "otelcarbon_config_last_reload_successful 1.0" in gateway.metrics_text()
        with caplog.at_level(logging.ERROR):
            await reloader.reload()
        metrics = gateway.metrics_text()

    assert followed == [_config(_WITH_B)]
    assert "service::pipelines::traces::exporters: 'outlet/c' is not configured under exporters" in caplog.text
    assert "otelcarbon_config_last_reload_successful 0.0" in metrics
    assert 'otelcarbon_config_reloads{outcome="refused"} 1.0' in metrics
    assert 'otelcarbon_config_reloads{outcome="success"} 1.0' in metrics
